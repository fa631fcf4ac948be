package extract

import (
	"cmp"
	"slices"
)

// density is morphological: descriptions are thick with adjectives, participles and
// nouns that can be seen, and thin in events, opinions and addresses.
type density struct{}

func (density) name() string    { return "density" }
func (density) weight() float64 { return 1.0 }

// densityGroups are the classes of words, each by itself.
var densityGroups = func() []group {
	var groups []group
	for section, class := range sections {
		if !class.has(function | inside) {
			groups = append(groups, group{section, class})
		}
	}
	slices.SortFunc(groups, func(a, b group) int { return cmp.Compare(a.of, b.of) })
	return append(groups, byForm...)
}()

// byForm are the classes that a word's form tells.
var byForm = []group{{"adjective", adjective}, {"verb", verb}, {"name", name}}

func (density) featureNames() []string {
	return namesOfGroups(slices.Clone(commonNames), densityGroups)
}

func (density) features(b *block, i int, f features) features {
	s := &b.sentences[i]
	return s.groups(densityGroups, s.common(f))
}

func (d density) find(b *block, found []candidate) ([]candidate, error) {
	return judge(d, b, found)
}
