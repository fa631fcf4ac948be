package api

import (
	"math"
	"strconv"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
)

// Outcomes are reported many at a time by services that have other things to do, so
// they are decoded by hand: BenchmarkReports compares it with encoding/json, and
// FuzzReports checks that both understand the same.

// reported is one object of a report, as it was sent.
type reported struct {
	given                      reportFields
	id, user                   []byte // parts of the body
	architecture, region       []byte
	revision                   int64
	took                       time.Duration
	failed, timeout            bool
	descriptions               int64
	quality                    int64
	correct, wrong, overlooked int64
}

// reportFields is a set of fields.
type reportFields uint16

const (
	fieldID reportFields = 1 << iota
	fieldUser
	fieldArchitecture
	fieldRevision
	fieldRegion
	fieldTook
	fieldError
	fieldTimeout
	fieldDescriptions
	fieldQuality
	fieldCorrect
	fieldWrong
	fieldMissed
	fieldUnknown

	fieldsNeeded = fieldID | fieldUser | fieldArchitecture | fieldTook | fieldError | fieldTimeout | fieldDescriptions
)

// reportField finds a field by its name.
func reportField(name []byte) reportFields {
	switch string(name) { // does not allocate
	case "id":
		return fieldID
	case "user_id":
		return fieldUser
	case "architecture":
		return fieldArchitecture
	case "revision":
		return fieldRevision
	case "region":
		return fieldRegion
	case "processing_time_ms":
		return fieldTook
	case "error":
		return fieldError
	case "timeout":
		return fieldTimeout
	case "descriptions":
		return fieldDescriptions
	case "quality":
		return fieldQuality
	case "true_positives":
		return fieldCorrect
	case "false_positives":
		return fieldWrong
	case "false_negatives":
		return fieldMissed
	}
	return fieldUnknown
}

// name is the JSON name of a single field.
func (f reportFields) name() string {
	for name, field := range map[string]reportFields{
		"id": fieldID, "user_id": fieldUser, "architecture": fieldArchitecture, "processing_time_ms": fieldTook,
		"error": fieldError, "timeout": fieldTimeout, "descriptions": fieldDescriptions,
	} {
		if field == f {
			return name
		}
	}
	return ""
}

// parseReports reads {"outcomes": […]}, or the same objects line by line. It calls each
// with every object, and refuse with every field that breaks a rule; what is no JSON at
// all is an error.
func parseReports(body []byte, lines bool, each func(*reported), refuse func(field, rule string)) error {
	s := scanner{data: body}
	var one reported
	n := 0
	object := func() error {
		one = reported{}
		if err := s.report(&one, refuse); err != nil {
			return within([]byte("outcomes["+strconv.Itoa(n)+"]"), err)
		}
		n++
		each(&one)
		return nil
	}
	if !lines {
		return s.reportArray(object)
	}
	for s.space(); s.at < len(s.data); s.space() {
		if err := object(); err != nil {
			return err
		}
		if !s.lineEnds() {
			return s.fail("expected the end of the line")
		}
	}
	return nil
}

// reportArray reads {"outcomes": […]}.
func (s *scanner) reportArray(object func() error) error {
	const only = "a report has one field, outcomes"
	if !s.take('{') {
		return s.fail("expected an object")
	}
	if s.peek() != '"' {
		return s.fail(only)
	}
	name, err := s.string()
	switch {
	case err != nil:
		return err
	case string(name) != "outcomes":
		return &syntaxError{field: clipName(name), message: "there is no such field; " + only}
	case !s.take(':'):
		return s.fail("expected ':'")
	case !s.take('['):
		return s.fail("expected an array")
	}
	for more := !s.take(']'); more; {
		if err := object(); err != nil {
			return err
		}
		switch {
		case s.take(','):
		case s.take(']'):
			more = false
		default:
			return s.fail("expected ',' or ']'")
		}
	}
	if !s.take('}') {
		return s.fail(only + ", given once")
	}
	return s.end()
}

// lineEnds passes over the rest of a line; false if there is more than space.
func (s *scanner) lineEnds() bool {
	for ; s.at < len(s.data); s.at++ {
		switch s.data[s.at] {
		case '\n':
			s.at++
			return true
		case ' ', '\t', '\r':
		default:
			return false
		}
	}
	return true
}

// report reads one object.
func (s *scanner) report(r *reported, refuse func(field, rule string)) error {
	if !s.take('{') {
		return s.fail("expected an object")
	}
	if !s.take('}') {
		for more := true; more; {
			if s.peek() != '"' {
				return s.fail("expected a field name in quotes")
			}
			name, err := s.string()
			if err != nil {
				return err
			}
			field := reportField(name)
			if field&r.given != 0 && field != fieldUnknown {
				return &syntaxError{field: string(name), message: "the field is given twice"}
			}
			if !s.take(':') {
				return s.fail("expected ':'")
			}
			r.given |= field
			if err := s.reportValue(r, field, name, refuse); err != nil {
				return within(name, err)
			}
			switch {
			case s.take(','):
			case s.take('}'):
				more = false
			default:
				return s.fail("expected ',' or '}'")
			}
		}
	}
	for missing := fieldsNeeded &^ r.given; missing != 0; {
		first := missing & -missing
		refuse(first.name(), "is missing")
		missing &^= first
	}
	return nil
}

func (s *scanner) reportValue(r *reported, field reportFields, name []byte, refuse func(field, rule string)) error {
	if s.peek() == 'n' && field&(fieldsNeeded|fieldUnknown) == 0 { // null is as good as nothing
		r.given &^= field
		return s.skip()
	}
	switch field {
	case fieldID:
		return s.reportText(&r.id, name, refuse)
	case fieldUser:
		return s.reportText(&r.user, name, refuse)
	case fieldArchitecture:
		return s.reportText(&r.architecture, name, refuse)
	case fieldRegion:
		return s.reportText(&r.region, name, refuse)
	case fieldRevision:
		return s.reportNumber(&r.revision, name, refuse)
	case fieldTook:
		return s.reportTime(&r.took, name, refuse)
	case fieldError:
		return s.reportBool(&r.failed, name, refuse)
	case fieldTimeout:
		return s.reportBool(&r.timeout, name, refuse)
	case fieldDescriptions:
		return s.reportNumber(&r.descriptions, name, refuse)
	case fieldQuality:
		return s.reportNumber(&r.quality, name, refuse)
	case fieldCorrect:
		return s.reportNumber(&r.correct, name, refuse)
	case fieldWrong:
		return s.reportNumber(&r.wrong, name, refuse)
	case fieldMissed:
		return s.reportNumber(&r.overlooked, name, refuse)
	}
	refuse(clipName(name), "is no field of an outcome")
	return s.skip()
}

func (s *scanner) reportText(into *[]byte, name []byte, refuse func(field, rule string)) (err error) {
	if s.peek() != '"' {
		refuse(string(name), "is a string")
		return s.skip()
	}
	*into, err = s.string()
	return err
}

func (s *scanner) reportBool(into *bool, name []byte, refuse func(field, rule string)) error {
	c := s.peek()
	*into = c == 't'
	if c != 't' && c != 'f' {
		refuse(string(name), "is true or false")
	}
	return s.skip()
}

// numeral is the text of the number that is next; nil if it is something else.
func (s *scanner) numeral() ([]byte, error) {
	c := s.peek()
	if c != '-' && (c < '0' || c > '9') {
		return nil, s.skip()
	}
	began := s.at
	err := s.number()
	return s.data[began:s.at], err
}

func (s *scanner) reportNumber(into *int64, name []byte, refuse func(field, rule string)) error {
	text, err := s.numeral()
	if err != nil {
		return err
	}
	n := int64(0)
	simple := len(text) > 0 && len(text) < 18
	for _, c := range text {
		if c < '0' || c > '9' {
			simple = false
			break
		}
		n = 10*n + int64(c-'0')
	}
	if !simple {
		var bad error
		if n, bad = strconv.ParseInt(string(text), 10, 64); bad != nil {
			refuse(string(name), "is a whole number")
		}
	}
	*into = n
	return nil
}

// maxMillis is more than an outcome may say, and far less than a duration holds.
const maxMillis = 1e9

// reportTime reads milliseconds, rounded to microseconds.
func (s *scanner) reportTime(into *time.Duration, name []byte, refuse func(field, rule string)) error {
	text, err := s.numeral()
	if err != nil {
		return err
	}
	if micros, ok := simpleMicros(text); ok {
		*into = time.Duration(micros) * time.Microsecond
		return nil
	}
	ms, bad := strconv.ParseFloat(string(text), 64)
	switch {
	case bad != nil || math.Abs(ms) > maxMillis:
		refuse(string(name), "is a number of milliseconds, 0 to "+strconv.FormatInt(outcome.MaxTime.Milliseconds(), 10))
	case ms < 0:
		*into = -time.Microsecond // no time is negative, however little
	default:
		*into = time.Duration(math.Round(ms*1000)) * time.Microsecond
	}
	return nil
}

// simpleMicros reads at most nine digits and three after the point, as nearly all are.
func simpleMicros(text []byte) (micros int64, ok bool) {
	if len(text) == 0 || len(text) > 13 {
		return 0, false
	}
	after := -1
	for _, c := range text {
		switch {
		case c == '.':
			after = 0
			continue
		case c < '0' || c > '9' || after == 3:
			return 0, false
		}
		micros = 10*micros + int64(c-'0')
		if after >= 0 {
			after++
		}
	}
	for after = max(after, 0); after < 3; after++ {
		micros *= 10
	}
	return micros, true
}
