package extract

import "slices"

// constructions looks for the turns of phrase that prose describes with: «в углу
// стоял...», "there was a...", «у него были...», "his eyes were...", «пахло...», "it was dark".
type constructions struct{}

func (constructions) name() string    { return "constructions" }
func (constructions) weight() float64 { return 0.8 }

// The constructions, by what they show.
const (
	placedStands   = iota // «за рекой тянулись луга», "on the table lay a..."
	placedIs              // "behind the house was a yard"
	placedIsThere         // a preposition of place and a thing, nothing more
	existential           // "there stood a house", «между ними висели...»
	settingCovered        // «стена, увитая плющом», "walls hung with maps"
	settingStands         // a thing and where it is
	standsSetting         // «стоял дом»
	settingIs             // "the room was large"
	natureGleams          // «листья шелестели»
	featureOwned          // "his long thin face"
	featureOnly           // "a long thin face"
	featureIs             // "the eyes were small"
	dressed               // "in a grey coat", «одет в серое пальто»
	withFeature           // «с длинной бородой»
	withThing             // "with a stick"
	personIs              // "she was tall"
	hasFeature            // "he had grey eyes"
	aged                  // «женщина лет сорока»
	smells                // «пахло сеном»
	impersonally          // «было тихо», "it was dark"
	airMoves              // "the wind whispered"
	airIs                 // "soft light"
	sounds                // «звенели кузнечики»
	compared              // «как», "like"
	listed                // adjectives in a row
	verbless              // a sentence without a verb of any kind
	patternCount
)

var patternNames = [patternCount]string{
	"placed stands", "placed is", "placed", "existential", "setting covered", "setting stands", "stands setting",
	"setting is", "nature gleams", "feature owned", "feature", "feature is", "dressed", "with feature", "with thing",
	"person is", "has feature", "aged", "smells", "impersonally", "air moves", "air is", "sounds", "compared", "listed",
	"verbless",
}

// constructionGroups speak against a construction being a description.
var constructionGroups = []group{
	{"events", eventful}, {"verbs", verb}, {"inward", inward}, {"you", second}, {"I", first}, {"people", who},
	{"adjectives", adjective},
}

func (constructions) featureNames() []string {
	return namesOfGroups(append(slices.Clone(commonNames), patternNames[:]...), constructionGroups)
}

func (constructions) features(b *block, i int, f features) features {
	s := &b.sentences[i]
	f = s.common(f)
	var n [patternCount]float64
	ws := b.wordsOf(s)
	for j := range ws {
		if !ws[j].speech {
			construction(ws, j, &n)
		}
	}
	if s.counts.of(verb|action|speechverb|mental|copula|position|atmoverb|have|see|wear) == 0 {
		n[verbless] = 1
	}
	for _, x := range n {
		f = append(f, damped(x))
	}
	return s.groups(constructionGroups, f)
}

func (c constructions) find(b *block, found []candidate) ([]candidate, error) {
	return judge(c, b, found)
}

// construction counts what begins at, or turns on, word i.
func construction(ws []word, i int, n *[patternCount]float64) {
	c := ws[i].class
	if c.has(spatial | inside) {
		placed(ws, i, n)
	}
	if c.has(scene) {
		setting(ws, i, n)
	}
	if c.has(outward) {
		appearance(ws, i, n)
	}
	if c.has(air | atmoverb | impersonal | sounder) {
		airborne(ws, i, n)
	}
	if c.has(smell) {
		n[smells]++
	}
	if c.has(like) {
		n[compared]++
	}
	if c.has(wear) && near(ws, i, 6, clothing) || c.has(inside) && near(ws, i, 3, clothing) {
		n[dressed]++
	}
	if c.has(with) && near(ws, i, 4, outward|look) {
		if near(ws, i, 3, adjective|look) {
			n[withFeature]++
		} else {
			n[withThing]++
		}
	}
	if c.has(who) && follows(ws, i, 2, copula) && near(ws, i, 5, look) {
		n[personIs]++
	}
	if c.has(have) && near(ws, i, 5, outward) && near(ws, i, 5, adjective) {
		n[hasFeature]++
	}
	if c.has(age) && around(ws, i, 5, person|third) {
		n[aged]++
	}
	if c.has(adjective) && i+1 < len(ws) && ws[i+1].class.has(adjective) {
		n[listed]++
	}
}

// placed is a preposition or adverb of place, a thing, and where it stands.
func placed(ws []word, i int, n *[patternCount]float64) {
	at, ok := seek(ws, i, 4, scene)
	if !ok {
		if ws[i].class.has(spatial) && follows(ws, i, 2, position|copula) && near(ws, i, 6, scene) ||
			i == 0 && follows(ws, i, 3, position) {
			n[existential]++
		}
		return
	}
	switch {
	case follows(ws, at, 3, position|see):
		n[placedStands]++
	case ws[i].class.has(spatial) && follows(ws, at, 3, copula):
		n[placedIs]++
	case ws[i].class.has(spatial):
		n[placedIsThere]++
	}
}

// setting is a thing and its state or place.
func setting(ws []word, i int, n *[patternCount]float64) {
	switch {
	case follows(ws, i, 3, covered|see):
		n[settingCovered]++
	case follows(ws, i, 2, position):
		n[settingStands]++
	case i > 0 && ws[i-1].class.has(position|see|covered), i > 1 && ws[i-2].class.has(position|see):
		n[standsSetting]++
	case follows(ws, i, 3, copula) && near(ws, i, 5, adjective):
		n[settingIs]++
	}
	if ws[i].class.has(nature) && (follows(ws, i, 2, atmoverb) || i > 0 && ws[i-1].class.has(atmoverb)) {
		n[natureGleams]++
	}
}

// appearance is a feature or a garment with an attribute and somebody it belongs to.
func appearance(ws []word, i int, n *[patternCount]float64) {
	attribute := around(ws, i, 2, adjective|look)
	switch {
	case attribute && around(ws, i, 4, who):
		n[featureOwned]++
	case attribute:
		n[featureOnly]++
	case follows(ws, i, 3, copula) && near(ws, i, 5, adjective):
		n[featureIs]++
	}
}

// airborne is what is in the air: light, sound, smell, weather.
func airborne(ws []word, i int, n *[patternCount]float64) {
	c := ws[i].class
	switch {
	case c.has(impersonal) && around(ws, i, 2, copula):
		n[impersonally]++
	case c.has(sounder) && around(ws, i, 3, atmoverb|atmo):
		n[sounds]++
	case c.has(air) && around(ws, i, 2, atmoverb|position|copula):
		n[airMoves]++
	case c.has(air) && around(ws, i, 2, mood|perceptual):
		n[airIs]++
	case c.has(atmoverb) && around(ws, i, 3, nature|furnish):
		n[natureGleams] += 0.5
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
