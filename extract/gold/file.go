package gold

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxFile bounds what is read of one file, in bytes.
const maxFile = 256 << 20

// Read reads gold files, and those below folders in the order of their paths. The
// ending of a name says what is in the file:
//
//	.jsonl .ndjson       the canonical form, see ReadJSONL
//	.ann                 brat, with the text in the .txt file beside it, see ReadBrat
//	.json                Label Studio, see ReadLabelStudio
//	.conll .iob .bio     CoNLL, see ReadCoNLL
//
// Other files below a folder are passed over; one that is named is refused. Every
// error is a [*FormatError].
func Read(paths []string, labels Labels) ([]Document, error) {
	r := reader{labels: labels, from: map[string]string{}}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, unreadable(path, err)
		}
		if !info.IsDir() {
			err = r.file(path)
		} else {
			err = r.folder(path)
		}
		if err != nil {
			return nil, err
		}
	}
	return r.documents, nil
}

type reader struct {
	labels    Labels
	documents []Document
	from      map[string]string // the file of each document's id
}

func (r *reader) folder(path string) error {
	before := len(r.documents)
	err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return unreadable(file, err)
		}
		if entry.IsDir() || formatOf(file) == nil {
			return nil
		}
		return r.file(file)
	})
	if err == nil && len(r.documents) == before {
		return wrong(path, 0, fmt.Errorf("holds no gold file: the endings are .jsonl, .ann, .json, .conll, .iob and .bio"))
	}
	return err
}

func (r *reader) file(path string) error {
	format := formatOf(path)
	if format == nil {
		return wrong(path, 0, fmt.Errorf("is no gold file by its name: the endings are .jsonl, .ann, .json, .conll, .iob and .bio"))
	}
	raw, err := readBounded(path)
	if err != nil {
		return err
	}
	documents, err := format(path, raw, r.labels)
	if err != nil {
		return err
	}
	for _, d := range documents {
		if first, exists := r.from[d.ID]; exists {
			return wrong(path, 0, fmt.Errorf("the document %q is in %s already", d.ID, first))
		}
		r.from[d.ID] = path
	}
	r.documents = append(r.documents, documents...)
	return nil
}

// formatOf finds the reader for a file by its name; nil if there is none.
func formatOf(path string) func(path string, raw []byte, labels Labels) ([]Document, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jsonl", ".ndjson":
		return ReadJSONL
	case ".json":
		return ReadLabelStudio
	case ".conll", ".iob", ".bio":
		return func(path string, raw []byte, labels Labels) ([]Document, error) {
			return ReadCoNLL(path, stem(path), raw, labels)
		}
	case ".ann":
		return func(path string, raw []byte, labels Labels) ([]Document, error) {
			text, err := readBounded(strings.TrimSuffix(path, filepath.Ext(path)) + ".txt")
			if err != nil {
				return nil, err
			}
			d, err := ReadBrat(path, stem(path), string(text), raw, labels)
			return []Document{d}, err
		}
	}
	return nil
}

// stem is a file's name without folders and ending.
func stem(path string) string {
	base := filepath.Base(path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // naming files is what the argument is for
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer file.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	if len(raw) > maxFile {
		return nil, wrong(path, 0, fmt.Errorf("is longer than %d bytes", maxFile))
	}
	return raw, nil
}

// unreadable says of a file what the system says of it.
func unreadable(path string, err error) error {
	var system *fs.PathError
	if errors.As(err, &system) {
		return &FormatError{File: path, Reason: system.Err.Error(), cause: err}
	}
	return wrong(path, 0, err)
}
