package extract

// density is morphological: descriptions are thick with adjectives, participles and
// nouns that can be seen, and thin in events, opinions and addresses.
type density struct{}

func (density) name() string    { return "density" }
func (density) weight() float64 { return 1.0 }

func (density) find(b *block, found []candidate) ([]candidate, error) {
	own := make([]evidence, len(b.sentences))
	for i := range b.sentences {
		own[i] = lexicalEvidence(&b.sentences[i].counts)
	}
	types := inContext(own)
	for i := range b.sentences {
		s := &b.sentences[i]
		if _, support := own[i].best(); support < 0.7 || !worthReading(s) {
			continue
		}
		n := &s.counts
		length := float64(max(s.narrated, 6))
		qualities := n.of(adjective|covered|impersonal) + 0.5*n.of(atmoverb|smell)
		things := n.of(sensible)
		x := -2.3 +
			9*min(qualities/length, 0.35) +
			5*min(things/length, 0.4) +
			0.35*min(n.of(stative), 2) +
			0.12*min(length, 20)/2 -
			7*min(n.of(eventful)/length, 0.4) -
			4*min(n.of(verb)/length, 0.4) -
			6*min(n.of(inward)/length, 0.4) -
			5*min(n.of(second)/length, 0.3) -
			2*min(n.of(first)/length, 0.3) -
			1.5*s.speechShare()
		if s.tail == '?' {
			x -= 1.5
		}
		found = append(found, candidate{s.span, types[i], sigmoid(x)})
	}
	lift(b, found)
	return found, nil
}
