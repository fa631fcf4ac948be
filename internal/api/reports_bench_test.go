package api_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// reportTemplate is a report of n outcomes with ids that can be set in place.
func reportTemplate(n int) (body []byte, ids []int) {
	const mark = "################"
	list := make([]string, n)
	for i := range list {
		list[i] = reportOf(mark, fmt.Sprint("user-", i*7919%100_000), "")
	}
	body = []byte(reports(list...))
	for at := 0; ; {
		i := bytes.Index(body[at:], []byte(mark))
		if i < 0 {
			return body, ids
		}
		ids = append(ids, at+i)
		at += i + len(mark)
	}
}

// Outcomes acknowledged durable, in reports of 1,000 over HTTP from a few clients on the
// same machine. What encoding/json would take only to read them stands in
// BenchmarkReports.
func BenchmarkIngest(b *testing.B) {
	in := newInstance(b, options{})
	in.apply(b, rollout.Rollback{Target: rollout.HalfRollout})
	const clients = 12
	http1 := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	var left, next atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var group sync.WaitGroup
	for range clients {
		body, ids := reportTemplate(1000)
		group.Go(func() {
			for left.Add(-1) >= 0 {
				first := next.Add(1000)
				for i, at := range ids {
					copy(body[at:], fmt.Sprintf("%016d", first+int64(i)))
				}
				r, err := http.NewRequestWithContext(b.Context(), "POST", in.server.URL+outcomesPath, bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+in.tokens[client])
				answer, err := http1.Do(r)
				if err != nil {
					b.Error(err)
					return
				}
				text, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if err != nil || !strings.Contains(string(text), `"counted":1000`) {
					b.Errorf("%v: %s", err, text)
					return
				}
			}
		})
	}
	group.Wait()
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "outcomes/s")
	b.StopTimer()
}
