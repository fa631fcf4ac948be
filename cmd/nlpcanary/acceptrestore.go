package main

import (
	"context"
	"fmt"
	"net/http"
)

type acceptRestoreCmd struct {
	changeFlags
	Yes bool `short:"y" help:"Do not ask, also on a terminal."`
}

// Help is shown by --help.
func (acceptRestoreCmd) Help() string {
	return `After a restore from an older backup, or a failover to a replica that had lost changes, no instance trusts the database: everyone gets old, reason STALE, because a rollback may be among what was lost. This command says that the database as it stands is right after all. It changes no stage: look at 'nlpcanary status' first, and roll back if in doubt.

It is in the audit trail like every change.`
}

// Run accepts the database, based on the revision that was shown.
func (cmd acceptRestoreCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // the change is committed by the answer
	status, _, err := c.status(ctx)
	if err != nil {
		return err
	}
	if !cmd.Yes && !cmd.DryRun {
		doubt := "No instance has said that it went back."
		if status.Distrust != "" {
			doubt = "It went back: " + printable(status.Distrust) + "."
		}
		yes, err := s.confirm(ctx, fmt.Sprintf("%s\nAccept the database at stage %s, revision %d, as it stands?",
			s.errStyle.warn(doubt), stageText(status.Stage, status.Percentage), status.Revision))
		if err != nil {
			return err
		}
		if !yes {
			return failed("not accepted", "nothing has changed; answer y, or give --yes, to accept it")
		}
	}
	body := cmd.body()
	body.BaseRevision = status.Revision
	return s.changeWith(ctx, c, http.MethodPost, canaryPath+"/accept-restore", body)
}
