package server

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store"
)

// arrival is the database when it has come, or why it never will.
type arrival struct {
	store *store.Store
	token string // the admin token, if it is known
	err   error
}

// How often a database that is not there is tried: with full jitter, so that a fleet
// does not come back all at once.
const (
	firstRetry   = 250 * time.Millisecond
	slowestRetry = 4 * time.Second
)

// awaitDatabase opens the database, however long that takes. An error that waiting does
// not mend is final at the first attempt only: later the instance serves already, and
// goes on. Absent gets the first error that waiting may mend; both channels get at most
// one value, arrived always one.
func awaitDatabase(ctx context.Context, config Config) (arrived <-chan arrival, absent <-chan error) {
	done, late := make(chan arrival, 1), make(chan error, 1)
	go func() {
		a := open(ctx, config)
		if a.err == nil || !errors.Is(a.err, store.ErrUnreachable) {
			done <- a
			return
		}
		late <- a.err
		told := a.err.Error()
		for pause := firstRetry; ; pause = min(2*pause, slowestRetry) {
			select {
			case <-ctx.Done():
				done <- arrival{err: ctx.Err()}
				return
			case <-time.After(rand.N(pause) + time.Millisecond):
			}
			a := open(ctx, config)
			if a.err == nil {
				done <- a
				return
			}
			if text := a.err.Error(); text != told && ctx.Err() == nil {
				told = text
				config.Logger.Error("still without the database", "error", a.err)
			}
		}
	}()
	return done, late
}

// open opens the database and makes sure that somebody can use the API.
func open(ctx context.Context, config Config) arrival {
	st, err := store.Open(ctx, config.Database, store.Options{Migrate: true})
	if err != nil {
		return arrival{err: err}
	}
	token, err := ensureAdminToken(ctx, st, config)
	if err != nil {
		return arrival{err: errors.Join(err, st.Close())}
	}
	return arrival{store: st, token: token}
}

// openOrServeWithout returns the database when it has come, and whether the glass was
// broken while the instance served without it.
func openOrServeWithout(ctx context.Context, f *front, config Config) (arrival, bool, error) {
	arrived, absent := awaitDatabase(ctx, config)
	select {
	case a := <-arrived:
		return a, false, a.err
	case cause := <-absent:
		return serveWithout(f, config, cause, arrived)
	}
}

// serveWithout serves old, reason STALE, until the database comes, or it is known that it
// does not.
func serveWithout(f *front, config Config, cause error, arrived <-chan arrival) (a arrival, brokenGlass bool, err error) {
	absent, err := store.Absent(config.Database, cause)
	if err != nil {
		return arrival{}, false, err
	}
	defer absent.Close() //nolint:errcheck // it never had a connection
	plane := startDataPlane(absent, config, f.listener.Addr().String())
	defer plane.close() //nolint:errcheck // it has nothing to ship, and was on no list
	stop := plane.obey(config.BreakGlass)
	watch := startWatch(absent, plane, config)
	face, err := plane.face(absent, config, watch)
	if err != nil {
		watch.end(false)
		stop()
		return arrival{}, false, err
	}
	config.Logger.Error("serving without the database: everyone gets old until it comes", "error", cause)
	config.announce(f, absent, config.AdminToken)
	f.show(face)
	a = <-arrived
	watch.end(a.err == nil)
	return a, stop(), a.err
}
