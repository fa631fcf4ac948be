package config

import (
	"errors"

	"github.com/nlpcanary/nlpcanary/internal/gateway"
)

// Shadow is shadow traffic, of the gateway and of the extraction. What the fields mean,
// and their defaults, is said at [gateway.Shadow]; the extraction, which is a POST and
// only computes, knows share, workers and queue.
type Shadow struct {
	Share        float64  `yaml:"share"`
	Methods      []string `yaml:"methods"`
	Paths        []string `yaml:"paths"`
	MaxBody      int      `yaml:"max_body"` // bytes
	Workers      int      `yaml:"workers"`
	Queue        int      `yaml:"queue"`
	Descriptions string   `yaml:"descriptions"`
}

// Settings is the gateway's own configuration of it.
func (s Shadow) Settings() gateway.Shadow {
	return gateway.Shadow{Share: s.Share, Methods: s.Methods, Paths: s.Paths, MaxBody: s.MaxBody, Workers: s.Workers, Queue: s.Queue, Descriptions: s.Descriptions}
}

func (s Shadow) check(at place) error {
	err := s.Settings().Validate()
	var wrong *gateway.ConfigError
	if !errors.As(err, &wrong) {
		return err
	}
	return at.field(wrong.Field).refuse("%s", wrong.Rule)
}
