package extract

import "math"

var priorityBase = map[Type]float64{
	TypeLocation:   75,
	TypeCharacter:  60,
	TypeAtmosphere: 45,
	TypeObject:     40,
	TypeAction:     30,
}

// priority says how soon a description deserves attention: its type's base, up to 20
// for confidence, 10 for 50-400 characters and 5 for 10-50 words.
func priority(kind Type, confidence float64, runes, words int) float64 {
	p := priorityBase[kind] + 20*confidence
	if 50 <= runes && runes <= 400 {
		p += 10
	}
	if 10 <= words && words <= 50 {
		p += 5
	}
	return round(p)
}

// quality rates a passage 1..10 by length, confidence and how few words repeat.
// distinct is the number of different words.
func quality(confidence float64, runes, words, distinct int) float64 {
	variety := 0.0
	if words > 0 {
		variety = float64(distinct) / float64(words)
	}
	share := 0.3*min(1, float64(runes)/200) + 0.5*confidence + 0.2*variety
	return round(1 + 9*share)
}

// round keeps four decimals: more would only show the noise of the last bits.
func round(x float64) float64 { return math.Round(x*1e4) / 1e4 }
