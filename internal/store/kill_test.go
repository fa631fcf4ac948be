package store

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

var kills = flag.Int("store.kills", 100, "how many writers TestKilledWriters kills on each database")

// The writers are processes of their own: this test binary, told by the environment
// to do nothing but write.
const (
	writeTo = "NLPCANARY_TEST_WRITE_TO" // a database
	writeAs = "NLPCANARY_TEST_WRITE_AS" // a name
)

// nextChange is the n-th change of a writer. Each kind writes other tables.
func nextChange(chance *rand.Rand, name string, n int) rollout.Change {
	switch chance.IntN(6) {
	case 0:
		return rollout.Advance{}
	case 1, 2:
		return rollout.Rollback{Target: rollout.Stage(chance.IntN(3))}
	case 3:
		return rollout.SetFlag{Name: rollout.KillSwitch, Enabled: chance.IntN(2) == 0}
	case 4:
		return rollout.CreateFlag{Name: strings.ReplaceAll(name, " ", "-") + "-" + strconv.Itoa(n), DefaultValue: true}
	default:
		return rollout.ClearCache{}
	}
}

// TestWriterToBeKilled is not a test but the writer. It says on standard output what
// it is about to change, and what has been changed.
func TestWriterToBeKilled(t *testing.T) {
	url, name := os.Getenv(writeTo), os.Getenv(writeAs)
	if url == "" {
		return
	}
	say := func(format string, args ...any) {
		if _, err := fmt.Fprintf(os.Stdout, format+"\n", args...); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(t.Context(), url, Options{})
	if err != nil {
		say("failed: %v", err)
		return
	}
	chance := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	say("ready")
	for n := 0; ; n++ {
		note := fmt.Sprintf("%s/%d", name, n)
		say("asked %s", note)
		applied, err := s.Apply(t.Context(), Request{Change: nextChange(chance, name, n), Actor: admin(name), Note: note})
		switch {
		case err == nil && applied.Changed:
			say("made %s @%d", note, applied.State.Revision)
		case err != nil && refusalCode(err) == "" && !isConflict(err):
			say("failed: %v", err)
			return
		default:
			say("nothing %s", note)
		}
	}
}

// killedWriter is what a writer said before it was killed.
type killedWriter struct {
	made    map[string]int64
	pending string // the note of the change that it was making; empty for none
	err     error
}

// runAndKill starts a writer and kills it at a random moment.
func runAndKill(url, name string, chance *rand.Rand) killedWriter {
	w := killedWriter{made: map[string]int64{}}
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriterToBeKilled$", "-test.count=1")
	cmd.Env = append(os.Environ(), writeTo+"="+url, writeAs+"="+name)
	output, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		w.err = err
		return w
	}
	var once sync.Once
	killAfter := func(d time.Duration) {
		once.Do(func() {
			time.AfterFunc(d, func() { _ = cmd.Process.Kill() }) // it may have ended by itself, which shows
		})
	}
	if chance.IntN(10) == 0 {
		killAfter(time.Duration(chance.IntN(100)) * time.Millisecond) // perhaps before it is ready
	}
	w.read(output, func() { killAfter(time.Duration(chance.IntN(200)) * time.Millisecond) })
	killAfter(0)
	if err := cmd.Wait(); err == nil && w.err == nil {
		w.err = fmt.Errorf("the writer ended by itself")
	}
	return w
}

// read takes down what the writer says until it is dead.
func (w *killedWriter) read(output io.Reader, ready func()) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		verb, rest, _ := strings.Cut(lines.Text(), " ")
		switch verb {
		case "ready":
			ready()
		case "asked":
			w.pending = rest
		case "nothing":
			w.pending = ""
		case "made":
			note, number, _ := strings.Cut(rest, " @")
			revision, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				w.err = err
				return
			}
			w.made[note], w.pending = revision, ""
		default:
			w.err = fmt.Errorf("the writer said: %s", lines.Text())
			return
		}
	}
}

// A process that is killed with SIGKILL in the middle of a change leaves all of the
// change or nothing of it, and what it had acknowledged is there. Several write at
// once, so that one dies while another waits for its lock. Between the rounds
// nobody has the database open: on SQLite the next one to open it recovers.
func TestKilledWriters(t *testing.T) {
	t.Parallel()
	const together, rounds = 4, 5 // a log that is not too long to be verified often
	onBoth(t, func(t *testing.T, d *database) {
		t.Parallel()
		acknowledged, unacknowledged := 0, 0
		for killed := 0; killed < *kills; {
			d := &database{dialect: d.dialect, url: newURL(t, d.dialect)}
			all := ledger{made: map[string]int64{}, unknown: map[string]bool{}}
			closeNow(t, d.open(t))
			for range rounds {
				if killed >= *kills {
					break
				}
				died := make([]killedWriter, min(together, *kills-killed))
				var group sync.WaitGroup
				for i := range died {
					name := fmt.Sprintf("writer %d", killed+i)
					group.Go(func() { died[i] = runAndKill(d.url, name, rand.New(rand.NewPCG(rand.Uint64(), 0))) })
				}
				group.Wait()
				killed += len(died)
				for _, w := range died {
					if w.err != nil {
						t.Fatal(w.err)
					}
					for note, revision := range w.made {
						all.made[note] = revision
					}
					if w.pending != "" {
						all.unknown[w.pending] = true // at most this one of each writer
					}
				}
				s := d.open(t)
				wantWhole(t, s)
				all.want(t, s)
				// Nothing that the dead held keeps the living from a rollback.
				mustApply(t, s, Request{Change: rollout.Rollback{Target: rollout.Disabled}, Actor: operator("ann")})
				closeNow(t, s)
			}
			acknowledged += len(all.made)
			unacknowledged += len(all.unknown)
			if t.Failed() {
				return
			}
		}
		t.Logf("%d writers were killed: %d changes acknowledged, %d under way", *kills, acknowledged, unacknowledged)
		// A busy machine lets a writer do less before it dies.
		if *kills >= 40 && (acknowledged < *kills/4 || unacknowledged < *kills/4) {
			t.Error("too few were killed in the middle of a change to prove anything")
		}
	})
}

// closeNow closes a store before its test ends. Closing it again then is harmless.
func closeNow(tb testing.TB, s *Store) {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
}
