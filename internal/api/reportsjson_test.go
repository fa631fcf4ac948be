package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// FuzzReports: what is let through means the same to encoding/json, and what
// encoding/json takes for whole reports is let through.
func FuzzReports(f *testing.F) {
	one := `{"id":"a","user_id":"u","architecture":"new","processing_time_ms":12.345,"error":false,"timeout":true,"descriptions":3`
	for _, seed := range []string{
		`{"outcomes":[]}`, `{"outcomes":[` + one + `}]}`, `{"outcomes":[` + one + `,"quality":10,"revision":3,"region":"eu"} , ` + one + `,"true_positives":1,"false_positives":0,"false_negatives":2}]}`,
		`{"outcomes":[` + one + `,"quality":null}]}`, `{"outcomes":[` + one + `,"x":[{}]}]}`, `{"outcomes":[` + strings.Replace(one, "12.345", "1.25e1", 1) + `}]}`, `{"outcomes":[` + strings.Replace(one, `"a"`, `"\u0061\ud83d\ude00"`, 1) + `}]}`,
		`{"outcomes":[` + strings.Replace(one, "12.345", "0.0005", 1) + `}]}`, `{"outcomes":[` + strings.Replace(one, "12.345", "999999999.999", 1) + `}]}`, `{}`, `{"outcomes":[{}]}`, `{"outcomes":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got []reported
		refused := 0
		err := parseReports(body, false, func(r *reported) {
			one := *r
			one.id, one.user, one.architecture, one.region = bytes.Clone(r.id), bytes.Clone(r.user), bytes.Clone(r.architecture), bytes.Clone(r.region)
			got = append(got, one)
		}, func(string, string) { refused++ })
		if checkJSON(body) != nil {
			if err == nil {
				t.Fatalf("let through what is not JSON as it should be: %q", body)
			}
			return
		}
		var want Reports
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		if err != nil || refused > 0 {
			return
		}
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("let through what encoding/json refuses: %v: %q", err, body)
		}
		if len(got) != len(want.Outcomes) {
			t.Fatalf("%d outcomes, want %d: %q", len(got), len(want.Outcomes), body)
		}
		for i, w := range want.Outcomes {
			g := got[i]
			number := func(p *int) int64 {
				if p == nil {
					return 0
				}
				return int64(*p)
			}
			took := time.Duration(math.Round(w.ProcessingTimeMS*1000)) * time.Microsecond
			if off := g.took - took; off < -time.Microsecond || off > time.Microsecond {
				t.Fatalf("%v took %v: %q", w.ProcessingTimeMS, g.took, body)
			}
			if string(g.id) != w.ID || string(g.user) != w.UserID || string(g.architecture) != w.Architecture || string(g.region) != w.Region || g.revision != w.Revision ||
				g.failed != w.Error || g.timeout != w.Timeout || g.descriptions != int64(w.Descriptions) ||
				g.quality != number(w.Quality) || g.correct != number(w.TruePositives) || g.wrong != number(w.FalsePositives) || g.overlooked != number(w.FalseNegatives) {
				t.Fatalf("%+v, want %+v: %q", g, w, body)
			}
		}
	})
}

// What encoding/json writes is read.
func TestReportsReadWhatEncodingJSONWrites(t *testing.T) {
	t.Parallel()
	quality, zero := 7, 0
	sent := Reports{Outcomes: []ReportedOutcome{
		{ID: "é\u2028\"", UserID: "u<&>", Architecture: "new", ProcessingTimeMS: 1e-7, Quality: &quality, TruePositives: &quality, FalsePositives: &zero, FalseNegatives: &zero},
		{ID: "b", UserID: "u", Architecture: "old", Revision: 1 << 60, Region: "eu", ProcessingTimeMS: 3.6e6, Error: true, Descriptions: 100_000},
	}}
	body, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = parseReports(body, false, func(r *reported) {
		got = append(got, fmt.Sprint(string(r.id), " ", string(r.user), " ", r.took, " ", r.revision, " ", r.quality, r.correct, r.wrong, r.failed, r.descriptions))
	}, func(field, rule string) { t.Errorf("%s %s", field, rule) })
	want := []string{"é\u2028\" u<&> 0s 0 7 7 0 false 0", "b u 1h0m0s 1152921504606846976 0 0 0 true 100000"}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

func reportBody(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"outcomes":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"0198b2c4-7d3e-7aaa-8bbb-%012d","user_id":"user-%d","architecture":"new","revision":12,"processing_time_ms":%d.%03d,"error":false,"timeout":false,"descriptions":%d}`, i, i%977, i%300, i%1000, i%9)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// Reading a report of 1,000 outcomes, beside what encoding/json takes for it.
func BenchmarkReports(b *testing.B) {
	body := reportBody(1000)
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			if err := parseReports(body, false, func(*reported) { n++ }, func(f, r string) { b.Error(f, r) }); err != nil || n != 1000 {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("encoding json", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var r Reports
			if err := json.Unmarshal(body, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
