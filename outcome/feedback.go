package outcome

// Feedback is what somebody says about one outcome, later: a quality mark, or how
// many of the descriptions were right. At least one of the two.
type Feedback struct {
	// Quality is 1 to 10.
	Quality *int
	// Correct, Wrong and Missed count descriptions: found rightly, found wrongly, not
	// found (true positives, false positives, false negatives). All three or none.
	Correct, Wrong, Missed *int
}

// MaxCount is the most that feedback may count of one text's descriptions.
const MaxCount = 10_000

// Validate returns an [InvalidError] for feedback that cannot be true.
func (f Feedback) Validate() error {
	if f.Quality != nil && (*f.Quality < 1 || *f.Quality > 10) {
		return &InvalidError{"quality", "is 1 to 10"}
	}
	counts := []struct {
		field string
		value *int
	}{{"correct", f.Correct}, {"wrong", f.Wrong}, {"missed", f.Missed}}
	given, sum := 0, 0
	for _, c := range counts {
		if c.value == nil {
			continue
		}
		if *c.value < 0 || *c.value > MaxCount {
			return &InvalidError{c.field, "is 0 to 10,000"}
		}
		given++
		sum += *c.value
	}
	switch {
	case given == 0 && f.Quality == nil:
		return &InvalidError{"quality", "or correct, wrong and missed must be given"}
	case given != 0 && given != len(counts):
		for _, c := range counts {
			if c.value == nil {
				return &InvalidError{c.field, "is given together with correct, wrong and missed, or none of them"}
			}
		}
	case given != 0 && sum == 0:
		return &InvalidError{"correct", "wrong and missed are not all 0: that says nothing"}
	}
	return nil
}

// Labels are counts of descriptions over many outcomes.
type Labels struct{ Correct, Wrong, Missed int64 }

// Precision is correct/(correct+wrong); nil if nothing was found.
func (l Labels) Precision() *float64 { return ratio(l.Correct, l.Correct+l.Wrong) }

// Recall is correct/(correct+missed); nil if there was nothing to find.
func (l Labels) Recall() *float64 { return ratio(l.Correct, l.Correct+l.Missed) }

// F1 is 2·correct/(2·correct+wrong+missed); nil if nothing was labelled.
func (l Labels) F1() *float64 { return ratio(2*l.Correct, 2*l.Correct+l.Wrong+l.Missed) }

// ratio keeps what was not measured apart from 0.
func ratio(part, whole int64) *float64 {
	if whole == 0 {
		return nil
	}
	v := float64(part) / float64(whole)
	return &v
}
