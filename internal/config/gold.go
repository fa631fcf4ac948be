package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/extract/gold"
)

// Gold is the gold set that a server scores both architectures with.
type Gold struct {
	// Files are gold files or folders; the test part of the built-in gold if there are none.
	Files []string `yaml:"files"`
	// Split takes only one part of the files: train, dev or test; all of them if empty.
	Split string `yaml:"split"`
	// Labels maps labels of the files to types.
	Labels map[string]string `yaml:"labels"`
	// Every is how often it is run over all instances together, or "never";
	// DefaultGoldEvery if empty.
	Every string `yaml:"every"`
}

// DefaultGoldEvery is how often the gold set is run if nothing else is said.
const DefaultGoldEvery = time.Hour

const (
	never        = "never"
	minGoldEvery = 10 * time.Second
	maxGoldEvery = 30 * 24 * time.Hour
)

// Interval is how often the gold set is run; 0 for never.
func (g Gold) Interval() (time.Duration, error) {
	switch g.Every {
	case "":
		return DefaultGoldEvery, nil
	case never:
		return 0, nil
	}
	d, err := time.ParseDuration(g.Every)
	if err != nil || d < minGoldEvery || d > maxGoldEvery {
		return 0, fmt.Errorf("%q is neither never nor a time from %s to %s, such as 1h", g.Every, minGoldEvery, maxGoldEvery)
	}
	return d, nil
}

// Documents reads the gold set, and says which it is. A file that is not right is a
// [*gold.FormatError].
func (g Gold) Documents() (documents []gold.Document, name string, err error) {
	if len(g.Files) == 0 {
		documents, err = gold.Builtin()
		return gold.InSplit(documents, gold.Test), "builtin test", err
	}
	labels := gold.Labels{}
	for label, t := range g.Labels {
		if err := labels.ParseLabel(label + "=" + t); err != nil {
			return nil, "", err
		}
	}
	name = strings.TrimSpace(strings.Join(g.Files, " ") + " " + g.Split)
	documents, err = gold.Read(g.Files, labels)
	if err == nil && g.Split != "" {
		documents = gold.InSplit(documents, gold.Split(g.Split))
	}
	if err == nil && len(documents) == 0 {
		err = fmt.Errorf("no document of %s is in the split %s", strings.Join(g.Files, ", "), g.Split)
	}
	return documents, name, err
}

func (g Gold) check(at place) error {
	if _, err := g.Interval(); err != nil {
		return at.field("every").refuse("%v", err)
	}
	switch gold.Split(g.Split) {
	case "", gold.Train, gold.Dev, gold.Test:
	default:
		return at.field("split").refuse("%q is not a split: train, dev or test", g.Split)
	}
	for label, t := range g.Labels {
		if err := (gold.Labels{}).ParseLabel(label + "=" + t); err != nil {
			return at.field("labels").refuse("%v", err)
		}
	}
	if len(g.Files) == 0 && (g.Split != "" || len(g.Labels) > 0) {
		return at.refuse("split and labels are for files, and none is named")
	}
	return nil
}
