package outcome

import "encoding/binary"

// Marks is the feedback as it is added up.
func (f Feedback) Marks() Marks {
	var m Marks
	if f.Quality != nil {
		m.Quality, m.Rated = int64(*f.Quality), 1
	}
	if f.Correct != nil && f.Wrong != nil && f.Missed != nil {
		m.Labels, m.Labelled = Labels{int64(*f.Correct), int64(*f.Wrong), int64(*f.Missed)}, 1
	}
	return m
}

// ofOne reports whether these can be the marks of one outcome.
func (m Marks) ofOne() bool {
	rated := m == Marks{} || m.Rated == 0 && m.Quality == 0 || m.Rated == 1 && m.Quality >= 1 && m.Quality <= 10
	l := m.Labels
	labelled := l == Labels{} && m.Labelled == 0 ||
		m.Labelled == 1 && min(l.Correct, l.Wrong, l.Missed) >= 0 && max(l.Correct, l.Wrong, l.Missed) <= MaxCount && l != Labels{}
	return rated && labelled
}

// MeanQuality is the mean of the quality marks; nil if there are none.
func (m Marks) MeanQuality() *float64 { return ratio(m.Quality, m.Rated) }

// AllMarks is the feedback on the outcomes of all users.
func (t *Tally) AllMarks() Marks {
	var sum Marks
	for i := range Buckets {
		sum.Add(t.Marks(i))
	}
	return sum
}

// fields lists the marks in the order of the binary form.
func (m *Marks) fields() [6]*int64 {
	return [6]*int64{&m.Quality, &m.Rated, &m.Labels.Correct, &m.Labels.Wrong, &m.Labels.Missed, &m.Labelled}
}

// Add adds other marks to these.
func (m *Marks) Add(other Marks) {
	of := other.fields()
	for i, f := range m.fields() {
		*f = plus(*f, *of[i])
	}
}

// take takes other marks off; false if they were not in it.
func (m *Marks) take(other Marks) bool {
	of, whole := other.fields(), true
	for i, f := range m.fields() {
		*f -= *of[i]
		whole = whole && *f >= 0
	}
	return whole
}

// appendMarks writes the buckets that have any.
func appendMarks(b []byte, marks *[Buckets]Marks) []byte {
	if marks == nil {
		return append(b, 0)
	}
	used := 0
	for _, m := range marks {
		if m != (Marks{}) {
			used++
		}
	}
	b = binary.AppendUvarint(b, uint64(used))
	for i, m := range marks {
		if m == (Marks{}) {
			continue
		}
		b = append(b, byte(i))
		for _, f := range m.fields() {
			b = binary.AppendUvarint(b, uint64(*f))
		}
	}
	return b
}

func (d *decoder) marks(t *Tally) {
	last := -1
	for range d.number(Buckets) {
		i := int(d.byte())
		var m Marks
		for _, f := range m.fields() {
			*f = d.number(maxSum)
		}
		switch {
		case d.err != nil:
			return
		case i <= last:
			d.fail("marks out of order")
			return
		case m == (Marks{}), m.Quality < m.Rated, (m.Quality+9)/10 > m.Rated, m.Labelled == 0 && m.Labels != Labels{}:
			d.fail("marks that cannot be")
			return
		}
		t.AddMarks(i, m)
		last = i
	}
}
