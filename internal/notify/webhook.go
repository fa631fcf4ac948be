package notify

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"time"
)

// webhook posts alerts as JSON, signed as the Standard Webhooks specification says
// (https://www.standardwebhooks.com): the headers webhook-id, webhook-timestamp and
// webhook-signature, which is "v1," and the base64 of HMAC-SHA256 over
// "id.timestamp.body".
type webhook struct {
	name   string
	secret []byte
	now    func() time.Time
	poster
}

// webhookBody is what receivers get.
type webhookBody struct {
	Type      string    `json:"type"` // "alert.firing" or "alert.resolved"
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		Key      string    `json:"key"`
		Rule     string    `json:"rule"`
		Subject  string    `json:"subject"`
		Severity string    `json:"severity"`
		Summary  string    `json:"summary"`
		Since    time.Time `json:"since"`
		Rollout  string    `json:"rollout"`
		Stage    string    `json:"stage"`
	} `json:"data"`
}

// Name is the name in the configuration.
func (w webhook) Name() string { return w.name }

// Notify posts the alert. Each delivery has an id of its own, by which a receiver
// recognises a repetition; the time is part of what is signed, against replays.
func (w webhook) Notify(ctx context.Context, a Alert) error {
	b := webhookBody{Type: "alert.firing", Timestamp: a.At.UTC()}
	if a.Resolved {
		b.Type = "alert.resolved"
	}
	b.Data.Key, b.Data.Rule, b.Data.Subject, b.Data.Severity = a.Key(), a.Rule, a.Subject, string(a.Severity)
	b.Data.Summary, b.Data.Since, b.Data.Rollout, b.Data.Stage = a.Summary, a.Since.UTC(), a.Rollout, a.Stage
	body, err := encode(b)
	if err != nil {
		return err
	}
	id, at := deliveryID(a), strconv.FormatInt(w.now().Unix(), 10)
	return w.post(ctx, body, map[string]string{
		"webhook-id": id, "webhook-timestamp": at, "webhook-signature": "v1," + sign(w.secret, id, at, body),
	})
}

// deliveryID is the same for every attempt at one delivery.
func deliveryID(a Alert) string {
	sum := sha256.Sum256([]byte(a.Key() + "\x00" + strconv.FormatInt(a.At.UnixNano(), 10) + strconv.FormatBool(a.Resolved)))
	return "msg_" + base64.RawURLEncoding.EncodeToString(sum[:18])
}

func sign(secret []byte, id, at string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(id + "." + at + "."))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// NewSecret draws a secret for a webhook, in the form that the specification gives it.
func NewSecret() string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand documents it)
	return secretPrefix + base64.StdEncoding.EncodeToString(random[:])
}

const secretPrefix = "whsec_"
