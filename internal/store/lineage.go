package store

import (
	"context"
	"fmt"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/store/gen"
)

// doubt is an error that matches follow.ErrWentBack if the answer to a renewal must
// not be believed: the database has lost what an instance has seen. What one instance
// finds is kept in the database, so that those which start now do not believe it either.
func (s *Store) doubt(ctx context.Context, h follow.Heartbeat, found follow.Version, row gen.RenewRow) error {
	if row.SameInstallation == 0 {
		// Its own instances may trust it; what this one has seen says nothing of it.
		return fmt.Errorf("%w: %s is now the database of another installation, with other keys; restart this instance if that is meant", follow.ErrWentBack, s.at)
	}
	why := row.Distrust
	if why == "" {
		if why = loss(h, found, row.SeenMark); why == "" {
			return nil
		}
		_, err := gen.New(s.write).Distrust(ctx, gen.DistrustParams{Distrust: why, Lineage: found.Lineage})
		if err != nil {
			// This instance knows; that the others do not is one more reason to be told.
			return fmt.Errorf("%w: %s; and the other instances cannot be warned: %w", follow.ErrWentBack, why, err)
		}
	}
	return fmt.Errorf("%w: %s; roll back if in doubt, and then 'nlpcanary accept-restore' if it is the right database", follow.ErrWentBack, why)
}

// loss is what the database has lost of what the instance has seen, in words; empty if
// nothing.
func loss(h follow.Heartbeat, found follow.Version, seenMark string) string {
	seen := h.Seen
	switch {
	case found.OlderThan(seen.Version):
		return fmt.Sprintf("instance %s has seen %s, and the database stands at %s", h.Instance, seen.Version, found)
	case found.Lineage == seen.Version.Lineage && seen.Mark != "" && seenMark != "" && seenMark != seen.Mark:
		// An entry that is missing is not a restore: verifying the audit trail finds it.
		return fmt.Sprintf("instance %s has seen another revision %d than the one in the database, which stands at %s", h.Instance, seen.Version.Revision, found)
	}
	return ""
}

// Distrust says why no instance trusts the state, because one of them has seen what
// this database has lost; empty if none does.
func (s *Store) Distrust(ctx context.Context) (string, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	why, err := gen.New(s.read).GetDistrust(ctx)
	return why, failed("reading whether the database went back", err)
}
