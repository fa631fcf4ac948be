package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/nlpcanary/nlpcanary/internal/notify"
)

// Config is what the file says.
type Config struct {
	Architectures Architectures `yaml:"architectures"`
	Gold          Gold          `yaml:"gold"`
	Gateway       *Gateway      `yaml:"gateway"` // none if nil
	Shadow        Shadow        `yaml:"shadow"`
	Notifiers     notify.Config `yaml:"notifiers"`
}

// maxFile bounds what is read of a file, in bytes.
const maxFile = 1 << 20

// Error says what is wrong with a file, and where.
type Error struct {
	File    string
	Line    int // from 1; 0 if the file cannot be read at all
	Message string
	cause   error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

func (e *Error) Unwrap() error { return e.cause }

// Load reads a file. Every error is an [*Error].
func Load(path string) (Config, error) {
	file, err := os.Open(path) //nolint:gosec // naming a file is what the flag is for
	if err != nil {
		var where *os.PathError
		if errors.As(err, &where) {
			return Config{}, &Error{File: path, Message: where.Err.Error(), cause: err}
		}
		return Config{}, &Error{File: path, Message: err.Error(), cause: err}
	}
	defer file.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return Config{}, &Error{File: path, Message: err.Error(), cause: err}
	}
	if len(raw) > maxFile {
		return Config{}, &Error{File: path, Message: fmt.Sprintf("is longer than %d bytes", maxFile)}
	}
	return Parse(path, raw)
}

// Parse reads the content of a file, whose name is only for the errors. Every error
// is an [*Error].
func Parse(name string, raw []byte) (Config, error) {
	var c Config
	decoder := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict())
	if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) { // an empty file configures nothing
		return Config{}, syntaxError(name, err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return Config{}, &Error{File: name, Message: "holds more than one document"}
	}
	tree, err := parser.ParseBytes(raw, 0)
	if err != nil {
		return Config{}, syntaxError(name, err)
	}
	if err := c.Architectures.check(place{tree, "$.architectures"}); err != nil {
		return Config{}, inFile(name, err)
	}
	if err := c.Gold.check(place{tree, "$.gold"}); err != nil {
		return Config{}, inFile(name, err)
	}
	if err := c.Shadow.check(place{tree, "$.shadow"}); err != nil {
		return Config{}, inFile(name, err)
	}
	if c.Gateway != nil {
		if err := c.Gateway.check(place{tree, "$.gateway"}); err != nil {
			return Config{}, inFile(name, err)
		}
	}
	if _, err := notify.New(c.Notifiers); err != nil {
		return Config{}, inFile(name, place{tree, "$.notifiers"}.refuse("%s", err))
	}
	return c, nil
}

func syntaxError(name string, err error) *Error {
	wrong := &Error{File: name, Message: err.Error(), cause: err}
	var known yaml.Error
	if errors.As(err, &known) {
		wrong.Message = known.GetMessage()
		if at := known.GetToken(); at != nil && at.Position != nil {
			wrong.Line = at.Position.Line
		}
	}
	return wrong
}

// place is where in the file something stands: a YAMLPath such as
// "$.architectures.new".
type place struct {
	tree *ast.File
	path string
}

func (p place) field(name string) place { return place{p.tree, p.path + "." + name} }

// refuse makes the error that says what is wrong with the value at this place.
func (p place) refuse(format string, args ...any) error {
	return &Error{Line: p.line(), Message: p.path[len("$."):] + ": " + fmt.Sprintf(format, args...)}
}

// line is that of the nearest thing that is there: a missing value is the fault of
// what should hold it.
func (p place) line() int {
	for path := p.path; ; {
		if at, err := yaml.PathString(path); err == nil {
			if node, err := at.FilterFile(p.tree); err == nil && node.GetToken() != nil {
				return node.GetToken().Position.Line
			}
		}
		cut := bytes.LastIndexByte([]byte(path), '.')
		if cut < 0 {
			return 0
		}
		path = path[:cut]
	}
}

func inFile(name string, err error) error {
	var wrong *Error
	if errors.As(err, &wrong) {
		wrong.File = name
	}
	return err
}
