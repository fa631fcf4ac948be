package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Identity is who makes a request.
type Identity struct {
	Name   string
	Role   rollout.Role
	Source rollout.Source
	// Token is the id of the token; empty for a caller in the same process.
	Token string
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

// admit says who makes a request, or why not.
func (a *API) admit(r *http.Request, need rollout.Permission) (Identity, error) {
	who, err := a.authenticate(r)
	if err != nil {
		if a.unverifiable(err) && allow(unverified, need) == nil {
			return unverified, nil
		}
		return Identity{}, err
	}
	return who, allow(who, need)
}

// unverified is a caller whose token cannot be checked, because this instance has never
// reached its database. He may have what is the same for everybody: the decision for
// old, and old's descriptions of his own text. Nothing else works anyway.
var unverified = Identity{Name: "unverified", Role: rollout.RoleClient, Source: rollout.SourceAPI}

// unverifiable reports whether it was for want of a database that a token could not be
// checked. It looks at what this API was made of, which does not change: one that has
// ever had the installation's secrets lets nobody through unchecked.
func (a *API) unverifiable(err error) bool {
	return a.config.Store.Absence() != nil && errors.Is(err, store.ErrDatabase)
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
	given := r.Header["Authorization"]
	if len(given) == 0 || given[0] == "" {
		return Identity{}, unauthenticated("there is no token in the request", "send 'Authorization: Bearer TOKEN'; 'nlpcanary token create' makes one")
	}
	scheme, secret, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "bearer") || secret == "" || len(secret) > 512 {
		return Identity{}, unauthenticated("the Authorization header is not a bearer token", "send 'Authorization: Bearer TOKEN'")
	}
	token, found, err := a.token(r.Context(), secret)
	if err != nil {
		return Identity{}, err
	}
	switch {
	case !found:
		return Identity{}, unauthenticated("the token is not known", "it may have been revoked; 'nlpcanary token list' shows which there are")
	case token.Expired(a.now()):
		return Identity{}, newProblem(http.StatusUnauthorized, codeTokenExpired, "the token expired at "+token.ExpiresAt.Format("2006-01-02 15:04:05 MST"), "make a new one with 'nlpcanary token create'")
	}
	return Identity{Name: token.Name, Role: token.Role, Source: rollout.SourceAPI, Token: token.ID}, nil
}

func unauthenticated(detail, hint string) error {
	return newProblem(http.StatusUnauthorized, codeUnauthenticated, detail, hint)
}

// tokenIndex finds the tokens of one revision by their hash, so that a request costs
// one hash and one look-up. An ordinary map will do although it does not compare in
// constant time: whoever measures it can choose secrets, not their hashes.
type tokenIndex struct {
	lineage, revision int64
	byHash            map[[sha256.Size]byte]rollout.Token
}

func indexTokens(state *rollout.State) *tokenIndex {
	index := &tokenIndex{state.Lineage, state.Revision, make(map[[sha256.Size]byte]rollout.Token, len(state.Tokens))}
	for _, token := range state.Tokens {
		var hash [sha256.Size]byte
		if n, err := hex.Decode(hash[:], []byte(token.Hash)); err == nil && n == len(hash) {
			index.byHash[hash] = token
		}
	}
	return index
}

// token finds a token by its secret, expired or not.
func (a *API) token(ctx context.Context, secret string) (rollout.Token, bool, error) {
	state, err := a.knownState(ctx)
	if err != nil {
		return rollout.Token{}, false, err
	}
	index := a.tokens.Load()
	if index == nil || index.revision != state.Revision || index.lineage != state.Lineage {
		index = indexTokens(state)
		a.tokens.Store(index)
	}
	token, found := index.byHash[sha256.Sum256([]byte(secret))]
	return token, found, nil
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
