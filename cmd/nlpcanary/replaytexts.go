package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// textsBelow reads the texts of a file, or of every text file below a folder, in
// the order of their paths, so that a replay can be repeated.
func (s *session) textsBelow(ctx context.Context, path string, whole bool) ([]string, error) {
	var texts []string
	add := func(file string) error {
		text, err := s.readText(ctx, file)
		if err != nil {
			return err
		}
		if whole {
			texts = append(texts, text)
		} else {
			texts = append(texts, paragraphs(text)...)
		}
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case path == "-":
		err = add(path)
	case err != nil:
		return nil, fileFailure(err)
	case !info.IsDir():
		err = add(path)
	default:
		err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			if err != nil {
				return fileFailure(err)
			}
			if entry.Type().IsRegular() && isText(file) && !isEmpty(entry) {
				return add(file)
			}
			return nil
		})
	}
	if err != nil {
		return nil, err
	}
	if len(texts) == 0 {
		return nil, usage(fmt.Sprintf("there is no text below %s", path), "name a text file, or a folder with .txt or .md files")
	}
	return texts, nil
}

func isText(path string) bool {
	return slices.Contains([]string{".txt", ".md", ".text"}, strings.ToLower(filepath.Ext(path)))
}

func isEmpty(entry fs.DirEntry) bool {
	info, err := entry.Info()
	return err == nil && info.Size() == 0
}

// paragraphs splits a text at empty lines. What holds no letter, such as a line
// of asterisks, is not a paragraph.
func paragraphs(text string) []string {
	var found []string
	var current []string
	end := func() {
		paragraph := strings.Join(current, "\n")
		if strings.IndexFunc(paragraph, unicode.IsLetter) >= 0 {
			found = append(found, paragraph)
		}
		current = current[:0]
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" {
			end()
			continue
		}
		current = append(current, line)
	}
	end()
	return found
}
