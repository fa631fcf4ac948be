package extract

import "slices"

// gazetteer looks for known things next to words of the senses: «узкая улица», "a
// freckled face", and for names beside them. A thing alone proves little, since
// action happens among things too.
type gazetteer struct{}

func (gazetteer) name() string    { return "gazetteer" }
func (gazetteer) weight() float64 { return 1.2 }

// reach is how many words may lie between a thing and its attribute.
const reach = 3

// gazetteerGroups are what speaks for or against the things being described.
var gazetteerGroups = []group{
	{"places", scene}, {"people", who}, {"outward", outward}, {"air", air}, {"looks", look},
	{"events", eventful}, {"verbs", verb}, {"inward", inward}, {"you", second}, {"I", first},
}

func (gazetteer) featureNames() []string {
	names := append(slices.Clone(commonNames), "attributed:location", "attributed:character", "attributed:atmosphere")
	return namesOfGroups(names, gazetteerGroups)
}

func (gazetteer) features(b *block, i int, f features) features {
	s := &b.sentences[i]
	f = s.common(f)
	for _, x := range attributed(b.wordsOf(s)) {
		f = append(f, damped(x))
	}
	return s.groups(gazetteerGroups, f)
}

func (g gazetteer) find(b *block, found []candidate) ([]candidate, error) {
	return judge(g, b, found)
}

// attributed counts the things of each type that have a sensory attribute within
// reach, and gives a little for those without.
func attributed(ws []word) evidence {
	var e evidence
	for i, w := range ws {
		if w.speech || !w.class.has(sensible|person) {
			continue
		}
		value := 0.2
		if w.class.has(person) {
			value = 0
		}
		for j := max(0, i-reach); j < min(len(ws), i+reach+1); j++ {
			c := ws[j].class
			if j == i || ws[j].speech {
				continue
			}
			if c.has(sensory|covered) && c.has(adjective|covered) {
				value = 1
				break
			}
			if c.has(adjective) {
				value = max(value, 0.6)
			}
		}
		switch {
		case w.class.has(outward | person):
			e[character] += value
		case w.class.has(air):
			e[atmosphere] += 1.2 * value
		case w.class.has(place):
			e[location] += 1.1 * value
		default:
			e[location] += 0.8 * value
			if w.class.has(nature) {
				e[atmosphere] += 0.2 * value
			}
		}
	}
	for _, w := range ws {
		switch {
		case w.speech:
		case w.class.has(smell):
			e[atmosphere] += 1
		case w.class.has(impersonal | mood | atmoverb | sounder):
			e[atmosphere] += 0.4
		}
	}
	return e
}
