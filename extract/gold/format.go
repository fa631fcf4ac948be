package gold

import "fmt"

// FormatError says what is wrong with a gold file, and where.
type FormatError struct {
	File   string
	Line   int // from 1; 0 if it concerns the file as a whole
	Reason string
	cause  error
}

func (e *FormatError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

func (e *FormatError) Unwrap() error { return e.cause }

func wrong(file string, line int, err error) error {
	return &FormatError{File: file, Line: line, Reason: err.Error(), cause: err}
}

// collected gathers the documents of one file, each with an id of its own.
type collected struct {
	file      string
	documents []Document
	seen      map[string]int // the line of each id
}

func newCollected(file string) *collected { return &collected{file: file, seen: map[string]int{}} }

// add takes a document that begins on a line.
func (c *collected) add(line int, d Document) error {
	if err := d.settle(); err != nil {
		return wrong(c.file, line, err)
	}
	if first, exists := c.seen[d.ID]; exists {
		return wrong(c.file, line, fmt.Errorf("the id %q was given on line %d already", d.ID, first))
	}
	c.seen[d.ID] = line
	c.documents = append(c.documents, d)
	return nil
}

func (c *collected) all() ([]Document, error) {
	if len(c.documents) == 0 {
		return nil, wrong(c.file, 0, fmt.Errorf("holds no document"))
	}
	return c.documents, nil
}
