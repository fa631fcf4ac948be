package notify

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"

	"github.com/wneessen/go-mail"
)

// email sends e-mail through one SMTP server.
type email struct {
	name     string
	from     string
	to       []string
	host     string
	settings []mail.Option
}

// Name is the name in the configuration.
func (e email) Name() string { return e.name }

// Notify sends the alert to all recipients.
func (e email) Notify(ctx context.Context, a Alert) error {
	message := mail.NewMsg()
	if err := errors.Join(message.From(e.from), message.To(e.to...)); err != nil {
		return &Permanent{fmt.Errorf("addressing e-mail: %w", err)}
	}
	message.Subject(clip(headline(a), 200))
	message.SetMessageIDWithValue(deliveryID(a) + "@nlpcanary")
	message.SetGenHeader("References", "<"+deliveryID(Alert{Rule: a.Rule, Subject: a.Subject, At: a.Since})+"@nlpcanary>")
	message.SetBodyString(mail.TypeTextPlain, details(a)+"\n")
	client, err := mail.NewClient(e.host, e.settings...)
	if err != nil {
		return &Permanent{fmt.Errorf("preparing e-mail: %w", err)}
	}
	if err := client.DialAndSendWithContext(ctx, message); err != nil {
		return mailError(err)
	}
	return nil
}

// mailError tells what another attempt may mend from what it may not: SMTP's replies
// of 500 and more are final (RFC 5321, section 4.2.1).
func mailError(err error) error {
	var said *textproto.Error
	if errors.Is(err, ErrPrivateAddress) || errors.As(err, &said) && said.Code >= 500 {
		return &Permanent{err}
	}
	var sending *mail.SendError
	if errors.As(err, &sending) && !sending.IsTemp() && sending.ErrorCode() >= 500 {
		return &Permanent{err}
	}
	return err
}
