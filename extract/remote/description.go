package remote

import (
	"fmt"
	"slices"

	"github.com/nlpcanary/nlpcanary/extract"
)

// description checks one description. The problem is in words, empty if there is none.
func (c Config) description(at extract.Offsets, d plainDescription) (_ extract.Description, problem string) {
	switch d.Type {
	case extract.TypeLocation, extract.TypeCharacter, extract.TypeAtmosphere, extract.TypeObject, extract.TypeAction:
	default:
		return extract.Description{}, "type is none of location, character, atmosphere, object and action"
	}
	if d.Start == nil || d.End == nil {
		return extract.Description{}, "start and end are both needed"
	}
	start, end, err := at.Bytes(*d.Start, *d.End)
	if err != nil {
		return extract.Description{}, err.Error()
	}
	content := at.Text()[start:end]
	if d.Text != nil && *d.Text != content {
		return extract.Description{}, fmt.Sprintf("the text from %d to %d is not what the service quotes%s", *d.Start, *d.End, otherUnit(at, d))
	}
	checked := extract.Description{
		Type: d.Type, Start: start, End: end, Content: content,
		Confidence: 1, Consensus: 1, Sources: d.Sources, Entities: d.Entities,
	}
	if len(checked.Sources) == 0 {
		checked.Sources = []string{c.Name}
	}
	slices.Sort(checked.Sources)
	for _, n := range []struct {
		name      string
		given     *float64
		low, high float64
		into      *float64
	}{
		{"confidence", d.Confidence, 0, 1, &checked.Confidence},
		{"consensus", d.Consensus, 0, 1, &checked.Consensus},
	} {
		if problem := within(n.name, n.given, n.low, n.high, n.into); problem != "" {
			return extract.Description{}, problem
		}
	}
	extract.Rate(&checked)
	if problem := within("priority", d.Priority, 0, 110, &checked.Priority); problem != "" {
		return extract.Description{}, problem
	}
	return checked, within("quality", d.Quality, 1, 10, &checked.Quality)
}

func within(name string, given *float64, low, high float64, into *float64) (problem string) {
	switch {
	case given == nil:
		return ""
	case *given < low || *given > high:
		return fmt.Sprintf("%s is not from %v to %v", name, low, high)
	}
	*into = *given
	return ""
}

// otherUnit adds the likely cause of wrong offsets: they count something else.
func otherUnit(at extract.Offsets, d plainDescription) string {
	for _, unit := range []extract.Unit{extract.UnitRune, extract.UnitByte, extract.UnitUTF16} {
		start, end, err := extract.NewOffsets(at.Text(), unit).Bytes(*d.Start, *d.End)
		if err == nil && at.Text()[start:end] == *d.Text {
			return fmt.Sprintf("; it would be if the offsets counted %ss: say so with unit", unit)
		}
	}
	return ""
}
