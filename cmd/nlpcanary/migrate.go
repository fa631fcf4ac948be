package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nlpcanary/nlpcanary/internal/store"
)

type migrateCmd struct{}

// Run creates or upgrades the schema. It is the one command besides serve that
// does: one at 3 a.m. must not change a schema.
func (migrateCmd) Run(ctx context.Context, s *session) error {
	if s.Server != "" {
		return usage("migrate works on a database, not through a server", "leave --server out and name the database with --database")
	}
	st, err := store.Open(ctx, s.databaseURL(), store.Options{Migrate: true})
	if err != nil {
		return err
	}
	defer st.Close() //nolint:errcheck // the migration is committed
	state, err := st.State(ctx)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(map[string]any{"database": st.Location(), "revision": state.Revision})
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	return s.answer(raw, func() {
		fmt.Fprintf(s.stdout, "%s is ready: %s at stage %s, revision %d.\n", st.Location(), state.Rollout.Name,
			stageText(int(state.Rollout.Stage), int(state.Rollout.Percentage)), state.Revision)
	})
}
