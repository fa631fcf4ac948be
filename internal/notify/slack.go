package notify

import (
	"context"
	"strings"
)

// slack posts to an incoming webhook of Slack, or of what understands the same
// (Mattermost, Rocket.Chat).
type slack struct {
	name string
	poster
}

// Name is the name in the configuration.
func (s slack) Name() string { return s.name }

// Notify posts the alert.
func (s slack) Notify(ctx context.Context, a Alert) error {
	body, err := encode(map[string]string{"text": slackText(a)})
	if err != nil {
		return err
	}
	return s.post(ctx, body, nil)
}

// slackEscapes are the three characters that Slack gives a meaning.
var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func slackText(a Alert) string {
	sign := map[Severity]string{Info: ":information_source:", Warning: ":warning:", Critical: ":rotating_light:"}[a.Severity]
	if a.Resolved {
		sign = ":white_check_mark:"
	}
	return sign + " *" + slackEscapes.Replace(headline(a)) + "*\n" + slackEscapes.Replace(details(a))
}
