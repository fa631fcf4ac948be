package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// Identity is who makes a request.
type Identity struct {
	Name   string
	Role   rollout.Role
	Source rollout.Source
}

type identityKey struct{}

// WithIdentity names the caller of a request that comes from the same process and is
// trusted, so that no token is asked for.
func WithIdentity(ctx context.Context, who Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

func identityOf(ctx context.Context) (Identity, bool) {
	who, ok := ctx.Value(identityKey{}).(Identity)
	return who, ok
}

// actor is the request's caller, as changes name it.
func actor(ctx context.Context) rollout.Actor {
	who, _ := identityOf(ctx)
	return rollout.Actor{Name: who.Name, Role: who.Role, Source: who.Source}
}

// needs is the key of an operation's metadata under which its permission stands.
const needs = "permission"

// authorise refuses operations that the caller may not do. An operation without a
// permission is open.
func (a *API) authorise(ctx huma.Context, next func(huma.Context)) {
	need, guarded := ctx.Operation().Metadata[needs].(rollout.Permission)
	if !guarded {
		next(ctx)
		return
	}
	ctx, err := a.admit(ctx, need)
	if err != nil {
		r, w := unwrap(ctx)
		a.writeProblem(w, r, err)
		return
	}
	next(ctx)
}

func (a *API) admit(ctx huma.Context, need rollout.Permission) (huma.Context, error) {
	r, _ := unwrap(ctx)
	who, err := a.authenticate(r)
	if err != nil {
		return ctx, err
	}
	if err := allow(who, need); err != nil {
		return ctx, err
	}
	noteActor(r.Context(), who.Name)
	return huma.WithContext(ctx, WithIdentity(ctx.Context(), who)), nil
}

// guard is authorise for handlers outside of huma.
func (a *API) guard(need rollout.Permission, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := a.authenticate(r)
		if err == nil {
			err = allow(who, need)
		}
		if err != nil {
			a.writeProblem(w, r, err)
			return
		}
		noteActor(r.Context(), who.Name)
		next(w, r.WithContext(WithIdentity(r.Context(), who)))
	}
}

func allow(who Identity, need rollout.Permission) error {
	if who.Role.May(need) {
		return nil
	}
	return newProblem(http.StatusForbidden, string(rollout.CodeForbidden),
		fmt.Sprintf("this needs the role %s, and the token %q has the role %s", rollout.LeastRole(need), who.Name, who.Role),
		"use a token with that role")
}

// authenticate finds out whose token the request carries. Tokens are looked up in the
// state that the instance holds, fresh or not: a revoked one stops working within the
// same bound as a rollback holds, and health can be asked after while the database is
// away.
func (a *API) authenticate(r *http.Request) (Identity, error) {
	if who, ok := identityOf(r.Context()); ok {
		return who, nil
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return Identity{}, unauthenticated("there is no token in the request", "send 'Authorization: Bearer TOKEN'; 'nlpcanary token create' makes one")
	}
	scheme, secret, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "bearer") || secret == "" || len(secret) > 512 {
		return Identity{}, unauthenticated("the Authorization header is not a bearer token", "send 'Authorization: Bearer TOKEN'")
	}
	state, err := a.knownState(r.Context())
	if err != nil {
		return Identity{}, err
	}
	token, found := state.TokenBySecret(secret)
	switch {
	case !found:
		return Identity{}, unauthenticated("the token is not known", "it may have been revoked; 'nlpcanary token list' shows which there are")
	case token.Expired(a.now()):
		return Identity{}, unauthenticated("the token expired at "+token.ExpiresAt.Format("2006-01-02 15:04:05 MST"), "make a new one with 'nlpcanary token create'")
	}
	return Identity{Name: token.Name, Role: token.Role, Source: rollout.SourceAPI}, nil
}

func unauthenticated(detail, hint string) error {
	return newProblem(http.StatusUnauthorized, codeUnauthenticated, detail, hint)
}

// knownState is the state that the instance holds, or the database's if there is none.
func (a *API) knownState(ctx context.Context) (*rollout.State, error) {
	if a.config.Follower != nil {
		if state := a.config.Follower.State(); state != nil {
			return state, nil
		}
	}
	state, err := a.config.Store.State(ctx)
	return &state, err
}
