package bound

import (
	"slices"
	"time"
)

// Row is what was measured under one fault.
type Row struct {
	Fault string `json:"fault"`
	// Rollbacks counts rollbacks times subjects under this fault.
	Rollbacks int `json:"rollbacks"`
	// P50MS, P99MS and MaxMS are of the time from asking for the rollback to the last
	// decision for new, in milliseconds.
	P50MS float64 `json:"p50_ms"`
	P99MS float64 `json:"p99_ms"`
	MaxMS float64 `json:"max_ms"`
	// SureMS is the longest time that has surely passed, in milliseconds: from the
	// confirmation of a rollback to the beginning of the last decision for new. The
	// commit lies between the asking and the confirmation, so that the longest time from
	// a commit lies between SureMS and MaxMS.
	SureMS float64 `json:"sure_ms"`
	// Broken counts decisions for new that were begun later than one lease after the
	// rollback had been confirmed: certain breaches of the promise.
	Broken int `json:"broken"`
}

// Report is the result of a proof.
type Report struct {
	Held      bool    `json:"held"`
	LeaseMS   int64   `json:"lease_ms"`
	Instances int     `json:"instances"`
	Rollbacks int     `json:"rollbacks"`
	Lost      int     `json:"lost"`      // rollbacks that were confirmed and then not there
	Decisions int64   `json:"decisions"` // that were looked at
	Rows      []Row   `json:"rows"`
	Seconds   float64 `json:"seconds"`
}

// findings are what the rounds have brought, by fault.
type findings struct {
	late   map[string][]time.Duration
	sure   map[string]time.Duration
	broken map[string]int
	lost   int
}

func newFindings() *findings {
	return &findings{late: map[string][]time.Duration{}, sure: map[string]time.Duration{}, broken: map[string]int{}}
}

func (f *findings) add(fault string, last moment, made commit, lease time.Duration) {
	f.late[fault] = append(f.late[fault], max(last.after.Sub(made.asked), 0))
	sure := max(last.before.Sub(made.confirmed), 0)
	f.sure[fault] = max(f.sure[fault], sure)
	if sure > lease {
		f.broken[fault]++
	}
}

func (p *proof) report(took time.Duration) Report {
	r := Report{
		Held: p.found.lost == 0, LeaseMS: p.config.Lease.Milliseconds(), Instances: len(p.subjects), Rollbacks: p.config.Rollbacks,
		Lost: p.found.lost, Rows: []Row{}, Seconds: took.Seconds(),
	}
	for _, s := range p.subjects {
		r.Decisions += s.decisions()
	}
	for _, fault := range p.faults() {
		late := p.found.late[fault]
		if len(late) == 0 {
			continue
		}
		slices.Sort(late)
		at := func(q float64) float64 { return ms(late[int(q*float64(len(late)-1)+.5)]) }
		row := Row{Fault: fault, Rollbacks: len(late), P50MS: at(.5), P99MS: at(.99), MaxMS: at(1), SureMS: ms(p.found.sure[fault]), Broken: p.found.broken[fault]}
		r.Held = r.Held && row.Broken == 0
		r.Rows = append(r.Rows, row)
	}
	return r
}

// faults are the names of all that there can be, each once.
func (p *proof) faults() []string {
	var names []string
	for _, s := range p.subjects {
		for _, f := range s.faults() {
			if !slices.Contains(names, f.name) {
				names = append(names, f.name)
			}
		}
	}
	return names
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
