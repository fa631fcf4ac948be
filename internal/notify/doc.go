// Package notify tells people what is wrong, and when it is right again: by Slack,
// PagerDuty, e-mail and webhooks, all of them from configuration only.
//
// # Invariants
//
//   - Telling never blocks the one who tells: each notifier has a bounded queue and a
//     worker of its own, so that one that hangs does not keep another from its work.
//   - A delivery that fails in a way that may pass is tried again with growing, random
//     pauses; what cannot be delivered in the end is logged, never silently lost.
//   - A request goes to the configured host and nowhere else: redirects are not
//     followed, proxies of the environment are not used, and private addresses are
//     refused, after the name was resolved, unless the configuration allows them.
//   - Secrets (addresses of webhooks, keys, passwords) never reach logs or errors.
package notify
