package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/api"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Create a token and show it once."`
	List   tokenListCmd   `cmd:"" help:"List the tokens, without their secrets."`
	Revoke tokenRevokeCmd `cmd:"" help:"End a token."`
}

type tokenCreateCmd struct {
	Name    string   `arg:"" help:"Whose it is: the actor's name in the audit trail, such as an e-mail address."`
	Role    string   `required:"" enum:"client,viewer,operator,admin" help:"What it may do: client, viewer, operator or admin."`
	Expires lifetime `placeholder:"TIME" help:"When it ends: in 90d, 12h and so on; never if not given."`
	changeFlags
}

type tokenBody struct {
	change
	Name      string     `json:"name"`
	Role      string     `json:"role"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// Run creates a token.
func (cmd tokenCreateCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // the change is committed by the answer
	body := tokenBody{change: cmd.body(), Name: cmd.Name, Role: cmd.Role}
	if cmd.Expires > 0 {
		at := s.now().Add(time.Duration(cmd.Expires)).UTC()
		body.ExpiresAt = &at
	}
	var created api.NewToken
	raw, err := c.post(ctx, tokensPath, body, &created)
	if err != nil {
		return err
	}
	return s.answer(raw, func() {
		if cmd.DryRun {
			fmt.Fprintf(s.stdout, "Dry run, nothing changed. Would create the token %s for %s.\n", cmd.Name, cmd.Role)
			return
		}
		// The secret stands alone on stdout, so that it can be piped.
		s.note("Token %s for %s, role %s, %s. It is shown this once:", created.ID, printable(created.Name), created.Role, expiryText(created.ExpiresAt))
		fmt.Fprintln(s.stdout, created.Secret)
	})
}

func expiryText(at *time.Time) string {
	if at == nil {
		return "never expires"
	}
	return "until " + timeText(*at)
}

// lifetime is a duration that also knows days.
type lifetime time.Duration

// UnmarshalText reads "90d" beside what time.ParseDuration reads.
func (l *lifetime) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if days, isDays := strings.CutSuffix(string(text), "d"); isDays {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a time such as 90d or 12h", text)
	}
	*l = lifetime(d)
	return nil
}

type tokenListCmd struct{}

// Run lists the tokens.
func (tokenListCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // nothing was written
	var list struct {
		Tokens []api.Token `json:"tokens"`
	}
	raw, err := c.get(ctx, tokensPath, nil, &list)
	if err != nil {
		return err
	}
	return s.answer(raw, func() {
		if len(list.Tokens) == 0 {
			fmt.Fprintln(s.stdout, "There are no tokens.")
			return
		}
		t := table{header: []string{"ID", "NAME", "ROLE", "CREATED", "BY", "EXPIRES"}}
		for _, token := range list.Tokens {
			expires := "never"
			if token.ExpiresAt != nil {
				expires = timeText(*token.ExpiresAt)
			}
			if token.Expired {
				expires += s.style.warn(" (expired)")
			}
			t.add(token.ID, printable(token.Name), token.Role, timeText(token.CreatedAt), printable(token.CreatedBy), expires)
		}
		t.write(s.stdout, s.style, "")
	})
}

type tokenRevokeCmd struct {
	ID     string `arg:"" name:"id" help:"The token's id, as the list shows it."`
	DryRun bool   `help:"Say what would happen, and change nothing."`
}

// Run ends a token.
func (cmd tokenRevokeCmd) Run(ctx context.Context, s *session) error {
	return s.change(ctx, http.MethodDelete, tokensPath+"/"+url.PathEscape(cmd.ID)+dryRunQuery(cmd.DryRun), nil)
}

// dryRunQuery asks for a dry run where there is no body to ask in.
func dryRunQuery(dry bool) string {
	if dry {
		return "?dry_run=true"
	}
	return ""
}
