package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nlpcanary/nlpcanary/internal/api"
)

var noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

func ptr[T any](value T) *T { return &value }

func halfway() api.Status {
	return api.Status{
		Rollout: "nlp", OldName: "single", NewName: "ensemble", Stage: 3, StageName: "HALF_ROLLOUT", Percentage: 50, EffectivePercentage: 50,
		TotalUsers: ptr(int64(2000)), EstimatedUsersNewArch: ptr(int64(1012)), EstimatedUsersOldArch: ptr(int64(988)),
		CacheSize: 1234, LastUpdated: noon.Add(-4 * time.Minute), UpdatedBy: "ann@example.org", Notes: "p95 is fine",
		FeatureFlagEnabled: true, Overrides: 2, Revision: 12, SoakEndsAt: ptr(noon.Add(167*time.Hour + 56*time.Minute)), RollbackBound: "3s", Guardian: api.Guardian{Mode: "guard"},
		Lease: &api.Lease{Valid: true, RemainingMS: 2710, LengthMS: 3000},
		Instances: []api.Instance{
			{ID: "a-1", Region: "eu", Address: "10.0.0.1:8080", Version: "v1.2.3", Revision: 12, SeenAt: noon.Add(-300 * time.Millisecond), Live: true},
			{ID: "bb-22", Version: "v1.2.3", Revision: 9, SeenAt: noon.Add(-2 * time.Second), Live: true},
			{ID: "c-3", Region: "us", Version: "v1.2.3", Revision: 12, SeenAt: noon.Add(-time.Second), Live: true, BreakGlass: true},
			{ID: "d-4", Version: "v1.2.2", Revision: 7, SeenAt: noon.Add(-time.Hour)},
		},
		Warnings: []string{"instance bb-22 lags behind"},
	}
}

func TestStatusCard(t *testing.T) {
	latched := halfway()
	latched.Stage, latched.StageName, latched.Percentage, latched.EffectivePercentage = 0, "DISABLED", 0, 0
	latched.Latched, latched.FeatureFlagEnabled, latched.Instances, latched.Warnings = true, false, nil, nil
	latched.TotalUsers, latched.Lease, latched.Notes, latched.Overrides, latched.CacheSize = nil, nil, "", 0, 0
	latched.SoakEndsAt = ptr(noon.Add(-time.Minute))

	finalised := halfway()
	finalised.Stage, finalised.Percentage, finalised.EffectivePercentage, finalised.Finalised = 4, 100, 100, true
	finalised.SoakEndsAt, finalised.Instances, finalised.Warnings, finalised.RollbackBound = nil, nil, nil, "none"
	finalised.Lease = &api.Lease{LastError: "connection\x1b[31m refused"}

	for name, test := range map[string]struct {
		status api.Status
		want   string
	}{
		"halfway": {halfway(), `
nlp  single → ensemble  revision 12

  stage        3 HALF_ROLLOUT 50 %  ██████████░░░░░░░░░░
  kill switch  USE_NEW_NLP_ARCHITECTURE is on
  changed      2026-08-01 11:56:00 UTC (4m ago) by ann@example.org
  why          p95 is fine
  soak         6d 23h left, until 2026-08-08 11:56:00 UTC
  guardian     guards: it rolls back on harm
  users        2,000 seen: about 1,012 on new, 988 on old
  cache        1,234 users
  overrides    2 users pinned
  rollback     holds everywhere within 3s
  source       an instance with a lease: 2710 of 3000 ms left

  INSTANCE  REGION  ADDRESS        VERSION  REVISION  SEEN      STATE
  a-1       eu      10.0.0.1:8080  v1.2.3         12  just now  up to date
  bb-22     –       –              v1.2.3          9  2s ago    behind
  c-3       us      –              v1.2.3         12  1s ago    break-glass: everyone on old
  d-4       –       –              v1.2.2          7  1h ago    gone: its lease has ended

! instance bb-22 lags behind
`},
		"rolled back and killed": {latched, `
nlp  single → ensemble  revision 12

  stage        0 DISABLED 0 %  ░░░░░░░░░░░░░░░░░░░░  rolled back: automation waits for a person to advance
  kill switch  USE_NEW_NLP_ARCHITECTURE is OFF: everyone is on old
  changed      2026-08-01 11:56:00 UTC (4m ago) by ann@example.org
  soak         over since 2026-08-01 11:59:00 UTC
  guardian     guards: it rolls back on harm
  users        none seen yet
  cache        0 users
  rollback     holds everywhere within 3s
  source       straight from the database

No instances are running.
`},
		"finalised, without a lease": {finalised, `
nlp  single → ensemble  revision 12

  stage        4 FULL_ROLLOUT 100 %  ████████████████████  finalised
  kill switch  USE_NEW_NLP_ARCHITECTURE is on
  changed      2026-08-01 11:56:00 UTC (4m ago) by ann@example.org
  why          p95 is fine
  soak         none: this is the last stage
  guardian     guards: it rolls back on harm
  users        2,000 seen: about 1,012 on new, 988 on old
  cache        1,234 users
  overrides    2 users pinned
  rollback     not bounded in time: instances hold a stale state (setting when_stale)
  source       an instance WITHOUT a valid lease: it sends everyone to old (connection [31m refused)

No instances are running.
`},
	} {
		t.Run(name, func(t *testing.T) {
			var card strings.Builder
			statusCard{test.status, noon, style{}}.write(&card)
			if diff := cmp.Diff(test.want, "\n"+card.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
