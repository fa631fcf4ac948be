package gateway_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/gateway"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// extraction is about what an extraction service answers, and extracted what it is
// sent.
var (
	extraction = []byte(`{"descriptions": [` + strings.Repeat(`{"type": "location", "start": 120, "end": 240, "text": "The house stood at the end of the lane."}, `, 19) + `{"type": "character", "start": 0, "end": 9}]}`)
	extracted  = []byte(`{"text": "` + strings.Repeat("The house stood at the end of the lane. ", 50) + `"}`)
)

func serves(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(extraction)
}

// bare is httputil.ReverseProxy by itself, with the gateway's transport settings.
func bare(tb testing.TB, upstream string) string {
	tb.Helper()
	target, err := url.Parse(upstream)
	if err != nil {
		tb.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) { pr.SetURL(target); pr.SetXForwarded() },
		Transport: &http.Transport{
			DialContext: (&net.Dialer{Timeout: time.Second}).DialContext, MaxIdleConnsPerHost: gateway.DefaultOldConcurrent,
			IdleConnTimeout: 30 * time.Second, ExpectContinueTimeout: time.Second, MaxResponseHeaderBytes: gateway.DefaultMaxHeader, DisableCompression: true,
		},
	}
	s := httptest.NewUnstartedServer(nil)
	s.Config = gateway.HTTPServer(gateway.Config{}, proxy)
	s.Start()
	tb.Cleanup(s.Close)
	return s.URL
}

// caller is a client of one connection that costs as little as it can, so that what is
// measured is the proxy.
type caller struct {
	conn    net.Conn
	r       *bufio.Reader
	request []byte
}

func newCaller(tb testing.TB, url, user string, body []byte) *caller {
	tb.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	method := "GET"
	if body != nil {
		method = "POST"
	}
	head := fmt.Sprintf("%s /v1/extract HTTP/1.1\r\nHost: h\r\nX-User-Id: %s\r\nAccept: */*\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", method, user, len(body))
	return &caller{conn: conn, r: bufio.NewReader(conn), request: append([]byte(head), body...)}
}

// call makes one request and returns how long it took.
func (c *caller) call() (time.Duration, error) {
	began := time.Now()
	if _, err := c.conn.Write(c.request); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || resp.StatusCode != 200 || n != int64(len(extraction)) {
		return 0, fmt.Errorf("status %d, %d bytes, %w", resp.StatusCode, n, err)
	}
	return time.Since(began), nil
}

// load makes n calls from each caller at once and returns their times.
func load(tb testing.TB, callers []*caller, n int) []time.Duration {
	tb.Helper()
	var mu sync.Mutex
	var all []time.Duration
	var working sync.WaitGroup
	for _, c := range callers {
		working.Go(func() {
			times := make([]time.Duration, 0, n)
			for range n {
				took, err := c.call()
				if err != nil {
					tb.Error(err)
					return
				}
				times = append(times, took)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, times...)
		})
	}
	working.Wait()
	return all
}

func quantile(times []time.Duration, q float64) time.Duration {
	slices.Sort(times)
	return times[min(int(q*float64(len(times))), len(times)-1)]
}

// BenchmarkAgainstReverseProxy compares the gateway with a bare httputil.ReverseProxy,
// in turns within one run. The metric "of-bare" is the share of the bare one's requests
// a second that the gateway reaches under full load; at least 0.75 is what it must
// reach. "p99-added-µs" is what it adds at the 99th percentile of a client that calls
// the two in turns, so that what else the machine does meets both; at most 1000.
func BenchmarkAgainstReverseProxy(b *testing.B) {
	for name, body := range map[string][]byte{"GET": nil, "POST-2kB": extracted} {
		b.Run(name, func(b *testing.B) {
			upstream := httptest.NewServer(http.HandlerFunc(serves))
			b.Cleanup(upstream.Close)
			floor := bare(b, upstream.URL)
			for _, v := range []rollout.Variant{rollout.Old, rollout.New} {
				b.Run(string(v), func(b *testing.B) {
					s := newStandAt(b, upstream.URL, upstream.URL+"/", nil)
					if v == rollout.Old {
						s.apply(rollout.Rollback{Target: rollout.Disabled})
					}
					const at, round = 8, 50
					var callers, floorCallers []*caller
					for i := range at {
						callers = append(callers, newCaller(b, s.url, fmt.Sprint("u", i), body))
						floorCallers = append(floorCallers, newCaller(b, floor, fmt.Sprint("u", i), body))
					}
					load(b, callers, 20) // warm
					load(b, floorCallers, 20)
					var ours, theirs []time.Duration
					var spent, floorSpent time.Duration
					for b.Loop() {
						began := time.Now()
						load(b, floorCallers, round)
						floorSpent += time.Since(began)
						began = time.Now()
						load(b, callers, round)
						spent += time.Since(began)
						for range round {
							theirs = append(theirs, load(b, floorCallers[:1], 1)...)
							ours = append(ours, load(b, callers[:1], 1)...)
						}
					}
					b.ReportMetric(float64(floorSpent)/float64(spent), "of-bare")
					b.ReportMetric(float64(at*round*b.N)/spent.Seconds(), "req/s")
					b.ReportMetric(float64((quantile(ours, .5) - quantile(theirs, .5)).Microseconds()), "p50-added-µs")
					b.ReportMetric(float64((quantile(ours, .99) - quantile(theirs, .99)).Microseconds()), "p99-added-µs")
					b.ReportMetric(float64(quantile(ours, .99).Microseconds()), "p99-µs")
				})
			}
		})
	}
}

// helperVariable makes the test binary a service of its own, which can be stopped.
const helperVariable = "NLPCANARY_TEST_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(helperVariable) != "" {
		s := httptest.NewServer(http.HandlerFunc(serves))
		fmt.Println(s.URL)
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent ends
		return
	}
	m.Run()
}

// startService runs a service in a process of its own.
func startService(tb testing.TB) (url string, process *os.Process) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), os.Args[0], "-test.run", "^$")
	cmd.Env = append(os.Environ(), helperVariable+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSpace(line), cmd.Process
}

// BenchmarkOldWhileNewIsStopped measures the old cohort's 99th percentile with new
// working and with new stopped (SIGSTOP), while the new cohort goes on sending. The
// metric "p99-ratio" is the second over the first; at most 1.10 is what it must reach.
// What is stopped gives its part of the processor back, so ratios below 1 are no
// surprise. "goroutines" is the most that there were while it was stopped.
func BenchmarkOldWhileNewIsStopped(b *testing.B) {
	old := httptest.NewServer(http.HandlerFunc(serves))
	b.Cleanup(old.Close)
	canary, process := startService(b)
	s := newStandAt(b, old.URL, canary, func(c *gateway.Config) {
		c.Timeout, c.NewTimeout, c.New.MaxConcurrent = 4*time.Second, 2*time.Second, 16
	})
	pinned := s.keyer.Key("pinned")
	s.apply(rollout.AddOverride{User: pinned, Variant: rollout.Old})
	var oldCallers []*caller
	for range 4 {
		oldCallers = append(oldCallers, newCaller(b, s.url, "pinned", extracted))
	}
	// The new cohort sends 200 requests a second from 32 clients, whatever becomes of them.
	stop := make(chan struct{})
	var sending sync.WaitGroup
	var most atomic.Int64
	for i := range 32 {
		c := newCaller(b, s.url, fmt.Sprint("u", i), extracted)
		sending.Go(func() {
			tick := time.NewTicker(160 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
					if _, err := c.call(); err != nil {
						return
					}
					if n := int64(runtime.NumGoroutine()); n > most.Load() {
						most.Store(n)
					}
				}
			}
		})
	}
	load(b, oldCallers, 100)
	var working, stopped []time.Duration
	for b.Loop() {
		working = append(working, load(b, oldCallers, 300)...)
		_ = process.Signal(syscall.SIGSTOP)
		stopped = append(stopped, load(b, oldCallers, 300)...)
		_ = process.Signal(syscall.SIGCONT)
	}
	close(stop)
	sending.Wait()
	b.ReportMetric(float64(quantile(stopped, .99))/float64(quantile(working, .99)), "p99-ratio")
	b.ReportMetric(float64(quantile(stopped, .99).Microseconds()), "p99-stopped-µs")
	b.ReportMetric(float64(most.Load()), "goroutines")
}

// BenchmarkJSONUser reads the user from a body of 2 kB.
func BenchmarkJSONUser(b *testing.B) {
	body := append(bytes.TrimSuffix(slices.Clone(extracted), []byte("}")), `, "user": {"id": "alice"}}`...)
	upstream := httptest.NewServer(http.HandlerFunc(serves))
	b.Cleanup(upstream.Close)
	s := newStandAt(b, upstream.URL, upstream.URL+"/", func(c *gateway.Config) { c.Users = []gateway.UserSource{{JSON: "/user/id"}} })
	c := newCaller(b, s.url, "u", body)
	for b.Loop() {
		if _, err := c.call(); err != nil {
			b.Fatal(err)
		}
	}
}
