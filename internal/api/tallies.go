package api

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

const (
	// maxTalliesBody is room for the tallies that a client sends at once.
	maxTalliesBody = 2 << 20
	// maxTallyWriters bounds the transactions with tallies at once, and waitingTallies
	// how many wait their turn: thousands of clients must not keep the lease from being
	// renewed.
	maxTallyWriters = 4
	waitingTallies  = 256
	// clockSlack is by how much a client's clock may differ.
	clockSlack = 2 * time.Minute
)

type talliesInput struct{ Body outcome.Parcel }

type talliesOutput struct {
	Body struct {
		Stored int `json:"stored" doc:"How many tallies the database has, now or already."`
	}
}

func (a *API) tallyRoute() {
	handle(a, route{method: "POST", path: "/api/v1/tallies", id: "tallies", needs: rollout.Report, maxBody: maxTalliesBody,
		summary: "Ship the outcomes that a client has counted",
		about:   "Each tally replaces the one of the same token, producer and key if its number is higher, so that sending again does no harm. All are stored, or, if one cannot be true, none: the problem then names each such one."}, a.putTallies)
}

func (a *API) putTallies(ctx context.Context, in *talliesInput) (*talliesOutput, error) {
	leave, err := a.tallies.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := a.checkParcel(ctx, in.Body); err != nil {
		return nil, err
	}
	if err := a.config.Store.PutTallies(ctx, producerOf(ctx, in.Body.Producer), in.Body.Tallies); err != nil {
		return nil, err
	}
	out := &talliesOutput{}
	out.Body.Stored = len(in.Body.Tallies)
	return out, nil
}

// producerOf keeps the producers of different tokens apart, and all of them from the
// servers: nobody can replace what somebody else has counted.
func producerOf(ctx context.Context, name string) string {
	who, _ := identityOf(ctx)
	return "client/" + who.Token + "/" + name
}

// checkParcel refuses what cannot be true, with a field for each tally.
func (a *API) checkParcel(ctx context.Context, parcel outcome.Parcel) error {
	var refused *Problem
	for i, shipment := range parcel.Tallies {
		wrong, err := a.checkTally(ctx, shipment)
		if err != nil {
			return err
		}
		if wrong == nil {
			continue
		}
		field := fmt.Sprintf("tallies[%d].%s", i, wrong.Field)
		if refused == nil {
			refused = badField(field, field+": "+wrong.Rule, "leave the tallies out that are named")
			refused.Errors[0].Message = wrong.Rule
			continue
		}
		refused.Errors = append(refused.Errors, ProblemField{Field: field, Message: wrong.Rule})
	}
	if refused != nil {
		return refused
	}
	return nil
}

// checkTally says what cannot be true of a tally, if anything. The error is of the
// database.
func (a *API) checkTally(ctx context.Context, s outcome.Shipment) (*outcome.InvalidError, error) {
	wrong, share, err := a.checkKey(ctx, s.Key)
	if wrong != nil || err != nil {
		return wrong, err
	}
	tally := new(outcome.Tally)
	if err := tally.UnmarshalBinary(s.Data); err != nil {
		return &outcome.InvalidError{Field: "data", Rule: "is a tally in its binary form, in base64"}, nil
	}
	if err := tally.Check(s.Key.Variant); err != nil {
		return &outcome.InvalidError{Field: "data", Rule: err.Error()}, nil
	}
	if tally.Total().Requests == 0 {
		return nil, nil
	}
	return checkCohort(s.Key.Variant, share), nil
}

// checkCohort: where nobody's or everybody's bucket was on new, one of the cohorts was
// empty.
func checkCohort(v rollout.Variant, share rollout.Percent) *outcome.InvalidError {
	switch {
	case share == 0 && v == rollout.New:
		return &outcome.InvalidError{Field: "key.architecture", Rule: "cannot be new: at that epoch nobody's bucket was on new"}
	case share == 100 && v == rollout.Old:
		return &outcome.InvalidError{Field: "key.architecture", Rule: "cannot be old: at that epoch nobody's bucket was on old"}
	}
	return nil
}

// checkTicket refuses an outcome id that a client made of what cannot be true. Those of
// servers are as true as the servers are.
func (a *API) checkTicket(ctx context.Context, t outcome.Ticket) error {
	if !t.ByClient {
		return nil
	}
	wrong, share, err := a.checkKey(ctx, outcome.Key{Rollout: t.Rollout, Epoch: t.Epoch, Variant: t.Variant, Region: t.Region, Minute: t.Minute})
	if err != nil {
		return err
	}
	if wrong == nil && !t.Excluded {
		wrong = checkCohort(t.Variant, share)
	}
	if wrong != nil {
		return badField("id", "the outcome cannot have been: its "+strings.TrimPrefix(wrong.Field, "key.")+" "+wrong.Rule, "use the outcome id that the client gave")
	}
	return nil
}

// checkKey says what cannot be true of where outcomes are said to belong, and what
// share of users was on new there.
func (a *API) checkKey(ctx context.Context, k outcome.Key) (*outcome.InvalidError, rollout.Percent, error) {
	if _, err := rollout.ParseVariant(string(k.Variant)); err != nil {
		return &outcome.InvalidError{Field: "key.architecture", Rule: "is old or new"}, 0, nil
	}
	if _, err := rollout.ParseRegion(string(k.Region)); err != nil {
		return &outcome.InvalidError{Field: "key.region", Rule: "is at most 64 ASCII letters, digits, '-', '_' and '.'"}, 0, nil
	}
	e, known, err := a.epoch(ctx, k.Epoch)
	switch {
	case err != nil:
		return nil, 0, err
	case !known:
		return &outcome.InvalidError{Field: "key.epoch", Rule: "is no revision at which a split of users began"}, 0, nil
	case e.rollout != k.Rollout:
		return &outcome.InvalidError{Field: "key.rollout", Rule: "is not the rollout of that epoch"}, 0, nil
	case k.Minute > outcome.MinuteOf(a.now().Add(clockSlack)):
		return &outcome.InvalidError{Field: "key.minute", Rule: "is in the future"}, 0, nil
	case k.Minute < outcome.MinuteOf(e.since.Add(-clockSlack)):
		return &outcome.InvalidError{Field: "key.minute", Rule: "is before that epoch began"}, 0, nil
	}
	return nil, e.percentage, nil
}

// epoch is what stood from a revision on: a split of users.
type epoch struct {
	rollout    string
	percentage rollout.Percent
	since      time.Time
}

// epochs remembers those that were looked up; they never change. The zero value is
// ready to use.
type epochs struct {
	mu    sync.Mutex
	known map[splitID]epoch
}

// splitID names a split of users. Revisions are unique within a lineage.
type splitID struct{ lineage, revision int64 }

// maxEpochs is how many are remembered: more than a rollout ever has.
const maxEpochs = 1000

// epoch finds a split of users by the revision at which it began.
func (a *API) epoch(ctx context.Context, revision int64) (epoch, bool, error) {
	id := splitID{revision: revision}
	if state := a.heldState(); state != nil {
		if state.Rollout.Epoch == revision {
			return epoch{state.Rollout.Name, state.Rollout.Percentage, state.Rollout.EpochSince}, true, nil
		}
		id.lineage = state.Lineage
	}
	a.epochs.mu.Lock()
	found, ok := a.epochs.known[id]
	a.epochs.mu.Unlock()
	if ok {
		return found, true, nil
	}
	found, ok, err := a.lookUpEpoch(ctx, revision)
	if !ok || err != nil {
		return epoch{}, false, err
	}
	a.epochs.mu.Lock()
	defer a.epochs.mu.Unlock()
	if len(a.epochs.known) >= maxEpochs || a.epochs.known == nil {
		a.epochs.known = map[splitID]epoch{}
	}
	a.epochs.known[id] = found
	return found, true, nil
}

// lookUpEpoch asks the audit trail whether the revision began a split, and the history
// which stage stood then.
func (a *API) lookUpEpoch(ctx context.Context, revision int64) (epoch, bool, error) {
	if revision < 1 {
		return epoch{}, false, nil
	}
	entries, err := a.config.Store.Audit(ctx, store.AuditQuery{After: revision - 1, Limit: 1, Oldest: true})
	if err != nil || len(entries) == 0 || entries[0].Revision != revision || !beginsEpoch(entries[0]) {
		return epoch{}, false, err
	}
	for before := int64(0); ; {
		history, _, err := a.config.Store.History(ctx, 1000, before)
		if err != nil || len(history) == 0 {
			return epoch{}, false, err
		}
		for _, h := range history {
			if h.Revision > 0 && h.Revision <= revision {
				return epoch{h.Rollout, h.Percentage, entries[0].At}, true, nil
			}
			before = h.ID
		}
	}
}

func beginsEpoch(e store.AuditEntry) bool {
	switch e.Action {
	case rollout.ActionInitialise, rollout.ActionAdvance, rollout.ActionRollback, rollout.ActionStart:
		return true
	case rollout.ActionFlagSet, rollout.ActionFlagDirect, rollout.ActionFlagCreate:
		return true // the kill switch's, or nobody counts under it
	}
	return false
}
