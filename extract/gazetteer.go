package extract

// gazetteer looks for known things next to words of the senses: «узкая улица», "a
// freckled face", and for names beside them. A thing alone proves little, since
// action happens among things too.
type gazetteer struct{}

func (gazetteer) name() string    { return "gazetteer" }
func (gazetteer) weight() float64 { return 1.2 }

// reach is how many words may lie between a thing and its attribute.
const reach = 3

func (gazetteer) find(b *block, found []candidate) ([]candidate, error) {
	own := make([]evidence, len(b.sentences))
	for i := range b.sentences {
		s := &b.sentences[i]
		own[i] = attributed(b.wordsOf(s))
		if s.counts.of(outward) > 0 && s.counts.of(who) > 0 {
			own[i][character] += 0.5
		}
	}
	types := inContext(own)
	for i := range b.sentences {
		s := &b.sentences[i]
		_, support := own[i].best()
		if support == 0 || !worthReading(s) {
			continue
		}
		n := &s.counts
		x := -2.0 +
			1.15*min(support, 3) +
			0.25*min(n.of(sensible), 5) -
			0.65*min(n.of(eventful), 3) -
			0.3*min(n.of(verb), 3) -
			0.6*min(n.of(inward), 3) -
			0.8*min(n.of(second), 2) -
			1.5*s.speechShare()
		found = append(found, candidate{s.span, types[i], sigmoid(x)})
	}
	lift(b, found)
	return found, nil
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
		case w.class.has(atmo):
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
		case w.class.has(impersonal | mood | atmoverb):
			e[atmosphere] += 0.4
		}
	}
	return e
}
