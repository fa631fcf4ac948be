package api

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

const tokensRoot = "/api/v1/admin/tokens"

type tokensOutput struct {
	ETag string `header:"ETag"`
	Body struct {
		Tokens []Token `json:"tokens"`
	}
}

type createTokenInput struct {
	ChangeInput
	Body struct {
		ChangeBody
		Name      string     `json:"name" doc:"Whose token it is: the actor's name in the audit trail."`
		Role      string     `json:"role" doc:"client, viewer, operator or admin"`
		ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"Never, if not given."`
	}
}

type createTokenOutput struct {
	ChangeHeaders
	Body NewToken
}

type revokeTokenInput struct {
	ChangeInput
	ID string `path:"id" maxLength:"64"`
}

func (a *API) tokenRoutes() {
	handle(a, route{method: "GET", path: tokensRoot, id: "list-tokens", needs: rollout.Administer, summary: "All tokens, without their secrets"}, a.listTokens)
	handle(a, route{method: "POST", path: tokensRoot, id: "create-token", needs: rollout.Administer, status: 201, summary: "Make a token",
		about: "The secret is in the answer, and only there."}, a.createToken)
	handle(a, route{method: "DELETE", path: tokensRoot + "/{id}", id: "revoke-token", needs: rollout.Administer, summary: "Revoke a token",
		about: "It stops working on every instance within the same bound as a rollback holds."}, a.revokeToken)
}

// DrawToken draws a token's id and secret: 256 random bits behind a prefix by which
// secret scanners know it.
func DrawToken() (id, secret string) {
	var random [6 + 32]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand documents it)
	return "tok_" + hex.EncodeToString(random[:6]), "nlpc_" + base64.RawURLEncoding.EncodeToString(random[6:])
}

func (a *API) tokenBody(t rollout.Token) Token {
	out := Token{ID: t.ID, Name: t.Name, Role: string(t.Role), CreatedAt: t.CreatedAt, CreatedBy: t.CreatedBy, Expired: t.Expired(a.now())}
	if !t.ExpiresAt.IsZero() {
		out.ExpiresAt = &t.ExpiresAt
	}
	return out
}

func (a *API) listTokens(ctx context.Context, _ *struct{}) (*tokensOutput, error) {
	state, err := a.config.Store.State(ctx)
	if err != nil {
		return nil, err
	}
	out := &tokensOutput{ETag: etag(state.Revision)}
	out.Body.Tokens = []Token{}
	for _, t := range state.Tokens {
		out.Body.Tokens = append(out.Body.Tokens, a.tokenBody(t))
	}
	return out, nil
}

func (a *API) createToken(ctx context.Context, in *createTokenInput) (*createTokenOutput, error) {
	b := in.Body
	if in.IdempotencyKey != "" {
		// The first answer held a secret, which is not kept and cannot be repeated.
		return nil, badField("Idempotency-Key", "making a token cannot be repeated by an Idempotency-Key: the secret is shown only once", "leave the header out; a second token of the same name is refused")
	}
	id, secret := DrawToken()
	change := rollout.CreateToken{ID: id, Name: b.Name, Role: rollout.Role(b.Role), Hash: rollout.HashToken(secret)}
	if b.ExpiresAt != nil {
		change.ExpiresAt = *b.ExpiresAt
	}
	applied, err := a.apply(ctx, in.ChangeInput, b.ChangeBody, change)
	if err != nil {
		return nil, err
	}
	made, found := applied.State.Token(id)
	if !found {
		return nil, newProblem(http.StatusInternalServerError, codeInternal, "the token was not made", "try again")
	}
	dry := in.DryRun || b.DryRun
	out := &createTokenOutput{ChangeHeaders: headersOf(applied, dry), Body: NewToken{Token: a.tokenBody(made), Revision: standing(applied, dry)}}
	if !dry {
		out.Body.Secret = secret
	}
	return out, nil
}

func (a *API) revokeToken(ctx context.Context, in *revokeTokenInput) (*changeOutput, error) {
	applied, err := a.apply(ctx, in.ChangeInput, ChangeBody{}, rollout.RevokeToken{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return a.changed(ctx, applied, in.DryRun, "the token is revoked"), nil
}
