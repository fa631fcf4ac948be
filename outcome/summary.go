package outcome

// Summary is a cohort's tally in numbers for people. What was not measured is nil.
type Summary struct {
	Total        int64
	ErrorRate    *float64 // errors / texts
	TimeoutRate  *float64 // timeouts / texts
	FallbackRate *float64 // texts that old served in place of new / texts
	// Processing times in milliseconds. A text that timed out counts with the time
	// until it was given up.
	AvgMS, P50MS, P95MS, P99MS *float64
	Descriptions               *int64
	DescriptionsPerText        *float64 // descriptions / texts
	Users                      *int64
}

// Summary turns the tally into numbers.
func (t *Tally) Summary() Summary {
	s := Summary{Total: t.total.Requests}
	if s.Total == 0 {
		return s
	}
	s.ErrorRate = ratio(t.total.Errors, s.Total)
	s.TimeoutRate = ratio(t.total.Timeouts, s.Total)
	s.FallbackRate = ratio(t.total.Fallbacks, s.Total)
	s.AvgMS = ratio(t.total.Micros, 1000*s.Total)
	s.P50MS, s.P95MS, s.P99MS = t.quantileMS(.5), t.quantileMS(.95), t.quantileMS(.99)
	s.DescriptionsPerText = ratio(t.total.Descriptions, s.Total)
	descriptions, users := t.total.Descriptions, t.Users()
	s.Descriptions, s.Users = &descriptions, &users
	return s
}

func (t *Tally) quantileMS(q float64) *float64 {
	d, ok := t.Quantile(q)
	if !ok {
		return nil
	}
	ms := float64(d.Nanoseconds()) / 1e6
	return &ms
}
