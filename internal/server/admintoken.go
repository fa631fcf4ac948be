package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// bootstrapName is the name of the admin token that serve makes or is given.
const bootstrapName = "bootstrap"

// systemActor makes the changes that serve makes by itself.
var systemActor = rollout.Actor{Name: "system", Role: rollout.RoleAdmin, Source: rollout.SourceSystem}

// ensureAdminToken makes sure that somebody can use the API. A token given by the
// configuration is accepted under the name bootstrap; without one, the first start
// makes one, shows it once, and keeps it in a file that only its owner can read.
// It returns the token if it is known.
func ensureAdminToken(ctx context.Context, st *store.Store, config Config) (string, error) {
	state, err := st.State(ctx)
	if err != nil {
		return "", err
	}
	if given := config.AdminToken; given != "" {
		return given, acceptGiven(ctx, st, state, given)
	}
	for _, t := range state.Tokens {
		if t.Role == rollout.RoleAdmin {
			return "", nil
		}
	}
	_, secret := api.DrawToken()
	if err := createBootstrap(ctx, st, secret); err != nil {
		var refusal *rollout.Refusal
		if errors.As(err, &refusal) && refusal.Code == rollout.CodeAlreadyExists {
			return "", nil // another instance started at the same moment
		}
		return "", err
	}
	path := adminTokenFile(config.Database)
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keeping the admin token: %w", err)
	}
	fmt.Fprintf(config.Stdout, "Admin token, shown this once and kept in %s:\n  %s\n", path, secret)
	return secret, nil
}

// minGivenToken keeps out given tokens that could be guessed.
const minGivenToken = 16

func acceptGiven(ctx context.Context, st *store.Store, state rollout.State, given string) error {
	if len(given) < minGivenToken {
		return &rollout.Refusal{
			Code: rollout.CodeInvalid, Field: "NLPCANARY_ADMIN_TOKEN",
			Message: fmt.Sprintf("the admin token has only %d characters", len(given)),
			Hint:    fmt.Sprintf("use at least %d random ones, for instance from 'openssl rand -hex 32'", minGivenToken),
		}
	}
	for _, t := range state.Tokens {
		switch {
		case t.Hash == rollout.HashToken(given):
			return nil
		case t.Name == bootstrapName:
			revoke := store.Request{Change: rollout.RevokeToken{ID: t.ID}, Actor: systemActor, Note: "replaced by the admin token of the configuration"}
			if _, err := st.Apply(ctx, revoke); err != nil {
				return fmt.Errorf("replacing the admin token: %w", err)
			}
		}
	}
	return createBootstrap(ctx, st, given)
}

func createBootstrap(ctx context.Context, st *store.Store, secret string) error {
	id, _ := api.DrawToken()
	_, err := st.Apply(ctx, store.Request{
		Change: rollout.CreateToken{ID: id, Name: bootstrapName, Role: rollout.RoleAdmin, Hash: rollout.HashToken(secret)},
		Actor:  systemActor,
		Note:   "admin token of the first start",
	})
	if err != nil {
		return fmt.Errorf("making the admin token: %w", err)
	}
	return nil
}

// adminTokenFile is beside the database where that is a file, else in the working
// directory.
func adminTokenFile(database string) string {
	if path, isFile := strings.CutPrefix(database, "sqlite:"); isFile {
		return path + ".admin-token"
	}
	return "nlpcanary.admin-token"
}
