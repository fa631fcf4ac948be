package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nlpcanary/nlpcanary/internal/pgtest"
)

// The scripts of testdata are the specification of the command line. Beside
// testscript's own commands they use:
//
//	exits N nlpcanary ...   run, and check the exit code
//	masked                  make the last output the same in every run (see masks)
//	json PATH WANT          check one value of the JSON on stdout; PATH like a.0.b
//	serve [flags]           start a server on the script's database and point
//	                        NLPCANARY_SERVER and NLPCANARY_TOKEN at it
//	halt                    stop the last server
//	token FILE              put the token in FILE into NLPCANARY_TOKEN
//	eventually RE PROGRAM   run until stdout matches, for at most 10 s
//
// 'go test ./cmd/nlpcanary -update' rewrites the expected output.

var update = flag.Bool("update", false, "rewrite the expected output of the scripts")

// TestMain builds the program for the scripts as it is shipped: without cgo, and so
// without the race detector, under which starting a process takes half a second. What
// the commands share runs under the detector in this package's other tests, and the
// servers of the scripts run inside of the test.
func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runWithProgram(m))
}

func runWithProgram(m *testing.M) int {
	dir, err := os.MkdirTemp("", "nlpcanary-scripts-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the program for the scripts:", err)
		return 1
	}
	if err := os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// TestScripts runs the scripts that are about one way of working. They start
// without a database.
func TestScripts(t *testing.T) {
	testscript.Run(t, scriptParams(scriptWay{dir: "testdata"}))
}

// The scripts in testdata/both run by every way, so that every command does the
// same by each. They start with a new database, and with scriptAdmin as the actor:
// by --admin on the database, as the token's name through a server.

func TestScriptsOnSQLite(t *testing.T) {
	testscript.Run(t, scriptParams(scriptWay{dir: "testdata/both", ready: migrateForScript}))
}

func TestScriptsOnPostgreSQL(t *testing.T) {
	cluster := pgtest.Start(t)
	testscript.Run(t, scriptParams(scriptWay{dir: "testdata/both", quick: true, ready: func(env *testscript.Env) error {
		env.Setenv("NLPCANARY_DATABASE_URL", cluster.NewDatabase(t))
		return migrateForScript(env)
	}}))
}

func TestScriptsThroughAServer(t *testing.T) {
	testscript.Run(t, scriptParams(scriptWay{dir: "testdata/both", ready: serveForScript, server: true}))
}

const scriptAdmin = "ann@example.org"

// scriptWay is a way in which scripts work.
type scriptWay struct {
	dir    string
	ready  func(*testscript.Env) error // prepares the database; nil to start without one
	server bool                        // the condition [server], as opposed to [direct]
	// quick is the condition [quick]: a database that is not set to survive a crash
	quick bool
}

func scriptParams(way scriptWay) testscript.Params {
	return testscript.Params{
		Dir: way.dir, RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("NLPCANARY_DATABASE_URL", "sqlite:"+env.WorkDir+"/nlpcanary.db")
			env.Setenv("USER", "bob")
			env.Setenv("ADMIN", scriptAdmin)
			env.Values[serversKey] = &servers{}
			if way.ready == nil {
				return nil
			}
			return way.ready(env)
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "server":
				return way.server, nil
			case "direct":
				return !way.server, nil
			case "quick":
				return way.quick, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exitsCommand, "masked": maskedCommand, "json": jsonCommand,
			"serve": serveCommand, "halt": haltCommand, "token": tokenCommand, "eventually": eventuallyCommand,
		},
	}
}

func migrateForScript(env *testscript.Env) error {
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), []string{"migrate"}, env.Vars, strings.NewReader(""), &stdout, &stderr); code != exitOK {
		return fmt.Errorf("migrating: exit code %d: %s", code, stderr.String())
	}
	return nil
}

// exitsCommand is "exits CODE PROGRAM ARGS...".
func exitsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d; want %d", got, want)
	}
}

// masks replace what differs from run to run. Runs of spaces shrink to two,
// because columns are as wide as what is masked; the columns themselves are
// tested in status_test.go and style_test.go.
var masks = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`), "TIME"},
	{regexp.MustCompile(`\bjust now\b|\b\d+[dhms]( \d+[dhms])? ago\b`), "AGO"},
	{regexp.MustCompile(`\b\d+[dhms] \d+[dhms]\b`), "SPAN"},
	{regexp.MustCompile(`\b\d+(\.\d+)?( of \d+)? ms\b`), "N ms"},
	{regexp.MustCompile(`\b\d+(\.\d+)?(ms|µs|s)\b \(\d+/s\)`), "SPAN (N/s)"},
	{regexp.MustCompile(`\btok_[0-9a-f]+\b`), "TOKEN_ID"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "USER_HASH"},
	{regexp.MustCompile(`\b[\w.-]+-[0-9a-f]{8}\b`), "INSTANCE"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
	{regexp.MustCompile(`\(devel\)|v\d+\.\d+\.\d+\S*`), "VERSION"},
	{regexp.MustCompile(`[A-Za-z0-9+/]{43}=`), "HASH"},
	{regexp.MustCompile(`outcome \S+`), "outcome ID"},
	{regexp.MustCompile(`  +`), "  "},
}

// maskedCommand replaces the last stdout and stderr by their masked forms.
func maskedCommand(ts *testscript.TestScript, _ bool, _ []string) {
	out, errs := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	host, err := os.Hostname()
	ts.Check(err)
	mask := func(text string) string {
		text = strings.ReplaceAll(text, ts.Getenv("WORK"), "$WORK")
		for _, m := range masks {
			text = m.pattern.ReplaceAllString(text, m.by)
		}
		return strings.ReplaceAll(text, "@"+host, "@HOST")
	}
	fmt.Fprint(ts.Stdout(), mask(out))
	fmt.Fprint(ts.Stderr(), mask(errs))
}

// jsonCommand is "json PATH WANT": the value at the path, as JSON or as text, is
// WANT. With "!" it is not.
func jsonCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: json PATH WANT")
	}
	var value any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &value); err != nil {
		ts.Fatalf("stdout is not JSON: %v", err)
	}
	for key := range strings.SplitSeq(args[0], ".") {
		switch at := value.(type) {
		case map[string]any:
			inner, ok := at[key]
			if !ok {
				ts.Fatalf("there is no %s in %v", key, at)
			}
			value = inner
		case []any:
			i, err := strconv.Atoi(key)
			if key == "length" {
				value = float64(len(at))
				continue
			}
			if err != nil || i >= len(at) {
				ts.Fatalf("there is no %s among %d", key, len(at))
			}
			value = at[i]
		default:
			ts.Fatalf("there is no %s in %v", key, value)
		}
	}
	got := fmt.Sprint(value)
	if text, err := json.Marshal(value); err == nil && got != args[1] {
		got = string(text)
	}
	if (got == args[1]) == neg {
		ts.Fatalf("%s is %s", args[0], got)
	}
}

// servers are those that a script has started.
type servers struct {
	running []*scriptServer
}

type serversKeyType struct{}

var serversKey serversKeyType

// scriptServer is a server in the test's process.
type scriptServer struct {
	url, token string
	cancel     context.CancelFunc
	exited     chan int
	stderr     *lockedBuffer
}

func (s *scriptServer) stop() error {
	s.cancel()
	if code := <-s.exited; code != exitOK {
		return fmt.Errorf("the server ended with exit code %d:\n%s", code, s.stderr.String())
	}
	return nil
}

// startServer runs "nlpcanary serve" until it is stopped. It is ready on return.
func startServer(env environ, flags ...string) (*scriptServer, error) {
	ctx, cancel := context.WithCancel(context.Background())
	stdout, write := io.Pipe()
	s := &scriptServer{cancel: cancel, exited: make(chan int, 1), stderr: &lockedBuffer{}}
	go func() {
		code := run(ctx, append([]string{"serve", "--addr", "127.0.0.1:0"}, flags...), env, strings.NewReader(""), write, s.stderr)
		_ = write.Close()
		s.exited <- code
	}()
	found := make(chan error, 1)
	go func() { found <- s.readStart(stdout) }()
	select {
	case err := <-found:
		if err != nil {
			cancel()
			return nil, fmt.Errorf("%w, exit code %d:\n%s", err, <-s.exited, s.stderr.String())
		}
	case <-time.After(30 * time.Second):
		cancel()
		return nil, errors.New("the server did not start within 30 s")
	}
	return s, nil
}

var (
	startURL   = regexp.MustCompile(`serves on (http://\S+)`)
	startToken = regexp.MustCompile(`\bnlpc_\S+`)
)

func (s *scriptServer) readStart(stdout io.Reader) error {
	var seen strings.Builder
	chunk := make([]byte, 4096)
	for {
		n, err := stdout.Read(chunk)
		seen.Write(chunk[:n])
		if url := startURL.FindStringSubmatch(seen.String()); url != nil {
			s.url, s.token = url[1], startToken.FindString(seen.String())
			go func() { _, _ = io.Copy(io.Discard, stdout) }()
			return nil
		}
		if err != nil {
			return errors.New("the server ended at its start")
		}
	}
}

// serveForScript starts the server of a script that works through one from the
// first line on, with a token whose owner is the scripts' admin.
func serveForScript(env *testscript.Env) error {
	started, err := startServer(env.Vars, "--verbose")
	if err != nil {
		return err
	}
	env.Defer(func() {
		if err := started.stop(); err != nil {
			env.T().Fatal(err)
		}
	})
	vars := append(environ{"NLPCANARY_SERVER=" + started.url, "NLPCANARY_TOKEN=" + started.token}, "USER=bob")
	var stdout, stderr bytes.Buffer
	args := []string{"token", "create", scriptAdmin, "--role", "admin"}
	if code := run(context.Background(), args, vars, strings.NewReader(""), &stdout, &stderr); code != exitOK {
		return fmt.Errorf("creating the scripts' token: exit code %d: %s", code, stderr.String())
	}
	env.Setenv("NLPCANARY_SERVER", started.url)
	env.Setenv("NLPCANARY_TOKEN", strings.TrimSpace(stdout.String()))
	return nil
}

func serveCommand(ts *testscript.TestScript, _ bool, args []string) {
	env := environ{"NLPCANARY_DATABASE_URL=" + ts.Getenv("NLPCANARY_DATABASE_URL"), "NLPCANARY_ADMIN_TOKEN=" + ts.Getenv("NLPCANARY_ADMIN_TOKEN")}
	started, err := startServer(env, args...)
	ts.Check(err)
	list := ts.Value(serversKey).(*servers)
	list.running = append(list.running, started)
	var once sync.Once
	cancel := started.cancel
	started.cancel = func() { once.Do(cancel) }
	ts.Defer(started.cancel)
	ts.Setenv("NLPCANARY_SERVER", started.url)
	if started.token != "" {
		ts.Setenv("NLPCANARY_TOKEN", started.token)
	}
}

func haltCommand(ts *testscript.TestScript, _ bool, _ []string) {
	list := ts.Value(serversKey).(*servers)
	if len(list.running) == 0 {
		ts.Fatalf("no server runs")
	}
	last := list.running[len(list.running)-1]
	list.running = list.running[:len(list.running)-1]
	ts.Check(last.stop())
	ts.Setenv("NLPCANARY_SERVER", "")
}

func tokenCommand(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv("NLPCANARY_TOKEN", strings.TrimSpace(ts.ReadFile(args[0])))
}

func eventuallyCommand(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[0])
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(50 * time.Millisecond) {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("stdout never matched %s", args[0])
}

// lockedBuffer is a buffer that several goroutines may write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
