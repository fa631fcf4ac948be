package extract

import "math/bits"

// classes is a set of classes of words, a bit each. A word may be in several.
type classes uint64

// The classes. All but the last three are sections of the lexicon files.
const (
	place      classes = 1 << iota // a place to be in: house, street, wood
	furnish                        // what a place is made of or holds: wall, chair
	nature                         // plants, ground, water
	sky                            // sun, cloud, smoke: what is seen in the air
	atmo                           // light, air, sound, smell, weather, hour
	atmoverb                       // to gleam, to rustle
	sounder                        // bell, rook: what is heard
	smell                          // to smell of
	position                       // to stand, to stretch: where a thing is
	see                            // to come into view
	covered                        // past participles of state: overgrown, lit
	person                         // man, girl, sailor
	body                           // face, hair, hand
	clothing                       // coat, boots
	look                           // how a person looks: gaunt, freckled
	perceptual                     // colour, size, shape, texture, temperature
	mood                           // gloomy, cosy
	impersonal                     // "it was quiet", «было тихо»
	spatial                        // above, along; over there
	inside                         // prepositions of place that have other uses
	third                          // he, her, their
	first                          // I, our
	second                         // you
	copula                         // was, seemed
	like                           // as, like, to resemble
	wear                           // wore, dressed in
	with                           // with
	have                           // had
	age                            // years, «лет»
	action                         // to run, to seize: events, not states
	speechverb                     // to say
	mental                         // to think, to want; modal verbs
	abstract                       // life, duty
	feeling                        // grief, shame
	generic                        // always, nobody, because
	negation                       // not
	function                       // words without a say in the matter
	adjective                      // by lexicon or by suffix
	verb                           // past tense of a verb that the lexicon does not know
	name                           // capitalised within a sentence
	classCount = iota
)

// has says whether c has a class of any.
func (c classes) has(any classes) bool { return c&any != 0 }

// Unions used by the processors.
const (
	scene     = place | furnish | nature
	air       = sky | atmo
	outward   = body | clothing
	sensory   = perceptual | mood | look
	who       = person | third | name
	eventful  = action | speechverb
	inward    = mental | abstract | feeling | generic
	sensible  = scene | air | outward
	stative   = position | copula | see | covered | atmoverb
	referring = function | inside | with | third | first | second | copula | have | negation | generic | like
)

// counts tells how many words of each class a stretch of text holds.
type counts [classCount]uint16

func (n *counts) add(c classes) {
	for ; c != 0; c &= c - 1 {
		n[bits.TrailingZeros64(uint64(c))]++
	}
}

// of returns the number of words in all classes of any; a word in two counts twice.
func (n *counts) of(any classes) float64 {
	total := 0
	for ; any != 0; any &= any - 1 {
		total += int(n[bits.TrailingZeros64(uint64(any))])
	}
	return float64(total)
}
