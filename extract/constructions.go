package extract

// constructions looks for the turns of phrase that prose describes with: «в углу
// стоял...», "there was a...", «у него были...», "his eyes were...", «пахло...», "it was dark".
type constructions struct{}

func (constructions) name() string    { return "constructions" }
func (constructions) weight() float64 { return 0.8 }

func (constructions) find(b *block, found []candidate) ([]candidate, error) {
	for i := range b.sentences {
		s := &b.sentences[i]
		if !worthReading(s) {
			continue
		}
		ws := b.wordsOf(s)
		var e evidence
		for j := range ws {
			if !ws[j].speech {
				construction(ws, j, &e)
			}
		}
		kind, support := e.best()
		if support == 0 {
			continue
		}
		n := &s.counts
		x := -1.6 +
			1.3*min(support, 3) +
			0.5*min(n.of(like), 1) +
			0.2*min(n.of(adjective), 4) -
			0.5*min(n.of(eventful), 3) -
			0.3*min(n.of(verb), 3) -
			0.6*min(n.of(inward), 3) -
			0.8*min(n.of(second), 2) -
			1.5*s.speechShare()
		found = append(found, candidate{s.span, kind, sigmoid(x)})
	}
	lift(b, found)
	return found, nil
}

// construction adds what the construction that begins at word i speaks for: about 1
// for one that hardly occurs outside of descriptions, less for a weaker sign.
func construction(ws []word, i int, e *evidence) {
	c := ws[i].class
	if c.has(spatial | inside) {
		placed(ws, i, e)
	}
	if c.has(scene) {
		setting(ws, i, e)
	}
	if c.has(outward) {
		appearance(ws, i, e)
	}
	if c.has(atmo | atmoverb | impersonal) {
		air(ws, i, e)
	}
	if c.has(smell) {
		e[atmosphere] += 1
	}
	if c.has(wear) && near(ws, i, 6, clothing) {
		e[character] += 1.2
	}
	if c.has(with) && near(ws, i, 4, outward) {
		if near(ws, i, 3, adjective) {
			e[character] += 0.7
		} else {
			e[character] += 0.2
		}
	}
	if c.has(person|third) && follows(ws, i, 2, copula) && near(ws, i, 5, look) {
		e[character] += 1
	}
	if c.has(have) && near(ws, i, 5, outward) && near(ws, i, 5, adjective) {
		e[character] += 1
	}
}

// placed is a preposition or adverb of place, a thing, and where it stands.
func placed(ws []word, i int, e *evidence) {
	at, ok := seek(ws, i, 4, scene)
	if !ok {
		switch {
		case ws[i].class.has(spatial) && follows(ws, i, 2, position|copula) && near(ws, i, 6, scene):
			e[location] += 0.8 // "there stood a house"
		case i == 0 && follows(ws, i, 3, position):
			e[location] += 0.6 // «между ними висели...»
		}
		return
	}
	switch {
	case follows(ws, at, 3, position|see):
		e[location] += 1
	case ws[i].class.has(spatial) && follows(ws, at, 3, copula):
		e[location] += 0.7
	case ws[i].class.has(spatial):
		e[location] += 0.25
	}
}

// setting is a thing and its state or place.
func setting(ws []word, i int, e *evidence) {
	switch {
	case follows(ws, i, 3, covered|see):
		e[location] += 0.9
	case follows(ws, i, 2, position):
		e[location] += 0.6
	case i > 0 && ws[i-1].class.has(position|see|covered):
		e[location] += 0.5
	case follows(ws, i, 3, copula) && near(ws, i, 5, adjective):
		e[location] += 0.7
	}
	if ws[i].class.has(nature) && (follows(ws, i, 2, atmoverb) || i > 0 && ws[i-1].class.has(atmoverb)) {
		e[location] += 0.4
		e[atmosphere] += 0.4
	}
}

// appearance is a feature or a garment with an attribute and somebody it belongs to.
func appearance(ws []word, i int, e *evidence) {
	attribute := around(ws, i, 2, adjective|look)
	switch {
	case attribute && around(ws, i, 4, who):
		e[character] += 0.8
	case attribute:
		e[character] += 0.4
	case follows(ws, i, 3, copula) && near(ws, i, 5, adjective):
		e[character] += 0.8
	}
}

// air is what is in the air: light, sound, smell, weather.
func air(ws []word, i int, e *evidence) {
	c := ws[i].class
	switch {
	case c.has(impersonal) && around(ws, i, 2, copula):
		e[atmosphere] += 1
	case c.has(impersonal):
		e[atmosphere] += 0.3
	case c.has(atmo) && around(ws, i, 2, atmoverb|position|copula):
		e[atmosphere] += 0.9
	case c.has(atmo) && around(ws, i, 1, mood|perceptual):
		e[atmosphere] += 0.5
	case c.has(atmoverb) && around(ws, i, 3, nature|furnish):
		e[atmosphere] += 0.4
	}
}

// near says whether one of the n words after word i has a class of any.
func near(ws []word, i, n int, any classes) bool {
	_, ok := seek(ws, i, n, any)
	return ok
}

// follows is near with nothing but narration in between.
func follows(ws []word, i, n int, any classes) bool {
	for j := i + 1; j < len(ws) && j <= i+n; j++ {
		if ws[j].speech {
			return false
		}
		if ws[j].class.has(any) {
			return true
		}
	}
	return false
}

// around is near in both directions.
func around(ws []word, i, n int, any classes) bool {
	for j := max(0, i-n); j < min(len(ws), i+n+1); j++ {
		if j != i && ws[j].class.has(any) {
			return true
		}
	}
	return false
}

func seek(ws []word, i, n int, any classes) (int, bool) {
	for j := i + 1; j < len(ws) && j <= i+n; j++ {
		if ws[j].class.has(any) {
			return j, true
		}
	}
	return 0, false
}
