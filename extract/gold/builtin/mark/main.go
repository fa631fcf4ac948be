// Command mark turns the marked texts of the built-in gold into canonical JSONL, so
// that no offset is ever counted by hand.
//
// A marked text holds passages, each under a line "### id". Spans stand in double
// brackets with the letter of their type (L location, C character, A atmosphere), and
// a ~ behind the letter when they are partial:
//
//	Мы вышли. [[L: За рекой лежал луг, весь в тумане.]] [[A~: Было тихо и сыро.]]
//
// The file's name is the language, a hyphen and the style: ru-landscape.txt.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// passage is one line of canonical JSONL.
type passage struct {
	ID    string `json:"id"`
	Lang  string `json:"lang"`
	Style string `json:"style"`
	Split string `json:"split"`
	Text  string `json:"text"`
	Spans []span `json:"spans"`
	Unit  string `json:"unit"`
}

type span struct {
	Start   int    `json:"start"`
	End     int    `json:"end"`
	Type    string `json:"type"`
	Partial bool   `json:"partial,omitempty"`
}

func main() {
	dir := flag.String("dir", ".", "directory of the marked texts; the JSONL is written there as well")
	flag.Parse()
	if err := run(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "mark:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return fmt.Errorf("listing %s: %w", dir, err)
	}
	var jsonl bytes.Buffer
	encoder := json.NewEncoder(&jsonl)
	encoder.SetEscapeHTML(false)
	seen := map[string]bool{}
	for _, file := range files {
		passages, err := read(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, p := range passages {
			if seen[p.ID] {
				return fmt.Errorf("%s: the id %s is there twice", file, p.ID)
			}
			seen[p.ID] = true
			if err := encoder.Encode(p); err != nil {
				return fmt.Errorf("writing %s: %w", p.ID, err)
			}
		}
	}
	return os.WriteFile(filepath.Join(dir, "gold.jsonl"), jsonl.Bytes(), 0o644)
}

// split is where a passage belongs, by its id alone: 4 of 10 to train, 2 to dev, 4 to
// test. It must never change, or what was trained on would be measured with.
func split(id string) string {
	switch sum := sha256.Sum256([]byte(id)); {
	case sum[0] < 102:
		return "train"
	case sum[0] < 154:
		return "dev"
	}
	return "test"
}

// read returns the passages of one marked text.
func read(file string) ([]passage, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(filepath.Base(file), ".txt")
	lang, style, ok := strings.Cut(name, "-")
	if !ok {
		return nil, errors.New("the name is not a language and a style")
	}
	var passages []passage
	var id string
	var marked strings.Builder
	finish := func() error {
		if id == "" {
			return nil
		}
		p := passage{ID: id, Lang: lang, Style: style, Split: split(id), Unit: "rune"}
		if err := p.unmark(strings.TrimSpace(marked.String())); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		passages = append(passages, p)
		marked.Reset()
		return nil
	}
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		if next, ok := strings.CutPrefix(lines.Text(), "### "); ok {
			if err := finish(); err != nil {
				return nil, err
			}
			id = next
			continue
		}
		marked.WriteString(lines.Text() + "\n")
	}
	return passages, finish()
}

// unmark sets the text and its spans. Offsets are in runes.
func (p *passage) unmark(marked string) error {
	types := map[string]string{"L": "location", "C": "character", "A": "atmosphere"}
	var text []rune
	p.Spans = []span{}
	for {
		before, rest, open := strings.Cut(marked, "[[")
		text = append(text, []rune(before)...)
		if !open {
			break
		}
		label, rest, _ := strings.Cut(rest, ": ")
		letter, partial := strings.CutSuffix(label, "~")
		content, after, closed := strings.Cut(rest, "]]")
		if types[letter] == "" || !closed || strings.Contains(content, "[[") {
			return fmt.Errorf("bad mark at %q", firstRunes(rest))
		}
		start := len(text)
		text = append(text, []rune(content)...)
		p.Spans = append(p.Spans, span{start, len(text), types[letter], partial})
		marked = after
	}
	p.Text = string(text)
	if strings.Contains(p.Text, "]]") {
		return errors.New("a mark is closed that was not opened")
	}
	if slices.Contains(text, '\ufffd') {
		return errors.New("the text is not UTF-8")
	}
	return nil
}

func firstRunes(s string) string {
	runes := []rune(s)
	return string(runes[:min(len(runes), 40)])
}
