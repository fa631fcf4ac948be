package server_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/internal/server"
	"github.com/nlpcanary/nlpcanary/internal/store"
)

var (
	serverKills   = flag.Int("server.kills", 8, "how often TestReportsSurviveKilledServers kills the server")
	databaseKills = flag.Int("server.dbkills", 3, "how often TestReportsSurviveKilledDatabases kills PostgreSQL")
)

const (
	serveDatabase = "NLPCANARY_TEST_SERVE" // the server to be killed serves this database
	reportToken   = "a-token-of-the-tests-only"
)

// TestServerToBeKilled is not a test but the server. It says where it serves.
func TestServerToBeKilled(t *testing.T) {
	url := os.Getenv(serveDatabase)
	if url == "" {
		return
	}
	err := server.Run(t.Context(), server.Config{
		Database: url, Addr: "127.0.0.1:0", AdminToken: reportToken, Logger: slog.New(slog.DiscardHandler),
		Ready: func(url, _ string) { fmt.Fprintln(os.Stdout, "serves", url) },
	})
	if err != nil {
		fmt.Fprintln(os.Stdout, "failed", err)
	}
}

// reporters are clients that report batch after batch, each again and again until it is
// acknowledged.
type reporters struct {
	url          atomic.Pointer[string] // of the server that lives
	acknowledged atomic.Int64           // outcomes
	retried      atomic.Int64           // batches that had to be sent again
	stop         chan struct{}
	group        sync.WaitGroup
}

const batchSize = 40

func startReporters(tb testing.TB, n int) *reporters {
	r := &reporters{stop: make(chan struct{})}
	// A connection to a server that was killed must not be waited for.
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: n}}
	for who := range n {
		r.group.Go(func() {
			for batch := 0; ; batch++ {
				select {
				case <-r.stop:
					return
				default:
				}
				if err := r.report(tb.Context(), client, who, batch); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	return r
}

func (r *reporters) report(ctx context.Context, client *http.Client, who, batch int) error {
	list := make([]string, batchSize)
	for i := range list {
		list[i] = fmt.Sprintf(`{"id":"%d/%d/%d","user_id":"user-%d","architecture":"new","processing_time_ms":%d,"error":false,"timeout":false,"descriptions":1}`, who, batch, i, (batch*batchSize+i)%500, i)
	}
	body := `{"outcomes":[` + strings.Join(list, ",") + `]}`
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(3 * time.Millisecond) {
		url := r.url.Load()
		if url == nil {
			continue
		}
		request, err := http.NewRequestWithContext(ctx, "POST", *url+"/api/v1/outcomes", strings.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+reportToken)
		answer, err := client.Do(request)
		if err != nil {
			r.retried.Add(1)
			continue
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		switch {
		case answer.StatusCode == http.StatusOK && err == nil:
			r.acknowledged.Add(batchSize)
			return nil
		case answer.StatusCode < 500 && err == nil:
			return fmt.Errorf("%d: %s", answer.StatusCode, text)
		}
		r.retried.Add(1)
	}
	return fmt.Errorf("batch %d of client %d was not acknowledged within a minute", batch, who)
}

// finish waits until everything that was begun is acknowledged, and checks that the
// database has it once.
func (r *reporters) finish(t *testing.T, database string) {
	t.Helper()
	close(r.stop)
	r.group.Wait()
	st, err := store.Open(t.Context(), database, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	w, err := st.Window(t.Context(), store.OutcomeQuery{Rollout: "nlp"})
	if err != nil {
		t.Fatal(err)
	}
	kept := w.New.Tally.Total().Requests + w.Old.Tally.Total().Requests
	t.Logf("%d outcomes acknowledged, %d batches sent again", r.acknowledged.Load(), r.retried.Load())
	if kept != r.acknowledged.Load() {
		t.Errorf("%d outcomes were acknowledged, %d are counted", r.acknowledged.Load(), kept)
	}
	if r.retried.Load() == 0 {
		t.Error("no kill met a report")
	}
}

// The server is killed with SIGKILL while it takes reports. Every acknowledged outcome
// is counted once, no more, no less.
func TestReportsSurviveKilledServers(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	var clients *reporters
	for kill := range *serverKills + 1 {
		cmd, url := serveToBeKilled(t, database)
		if kill == 0 {
			clients = startReporters(t, 4)
		}
		clients.url.Store(&url)
		if kill == *serverKills {
			clients.finish(t, database)
		} else {
			time.Sleep(time.Duration(rand.IntN(250)) * time.Millisecond)
			clients.url.Store(nil)
		}
		_ = cmd.Process.Kill() // it lives
		_ = cmd.Wait()         // killed
	}
}

func serveToBeKilled(t *testing.T, database string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerToBeKilled$", "-test.count=1")
	cmd.Env = append(os.Environ(), serveDatabase+"="+database)
	output, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	if !lines.Scan() {
		t.Fatal("the server said nothing")
	}
	url, serves := strings.CutPrefix(lines.Text(), "serves ")
	if !serves {
		t.Fatalf("the server said: %s", lines.Text())
	}
	return cmd, url
}

// PostgreSQL is killed under a server that takes reports.
func TestReportsSurviveKilledDatabases(t *testing.T) {
	t.Parallel()
	database := pgtest.StartOwn(t, pgtest.Config{Durable: true})
	url := database.NewDatabase(t)
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- server.Run(ctx, server.Config{
			Database: url, Addr: "127.0.0.1:0", AdminToken: reportToken, Logger: slog.New(slog.DiscardHandler), StateDir: t.TempDir(),
			Ready: func(url, _ string) { ready <- url },
		})
	}()
	var at string
	select {
	case at = <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	clients := startReporters(t, 4)
	clients.url.Store(&at)
	for range *databaseKills {
		had := clients.acknowledged.Load()
		for began := time.Now(); clients.acknowledged.Load() < had+5*batchSize && time.Since(began) < 20*time.Second; {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
		database.Kill(t)
		time.Sleep(20 * time.Millisecond) // so that reports meet it
		database.Restart(t)
	}
	clients.finish(t, url)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
