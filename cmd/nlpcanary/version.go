package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCmd struct{}

// build is what the binary knows about itself.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"vcs_revision,omitempty"`
	Time     string `json:"vcs_time,omitempty"`
	Modified bool   `json:"vcs_modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func buildInfo() build {
	b := build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.Revision = setting.Value
		case "vcs.time":
			b.Time = setting.Value
		case "vcs.modified":
			b.Modified = setting.Value == "true"
		}
	}
	return b
}

func moduleVersion() string { return buildInfo().Version }

// Run prints the version.
func (versionCmd) Run(s *session) error {
	b := buildInfo()
	raw, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("encoding the version: %w", err)
	}
	return s.answer(raw, func() {
		line := "nlpcanary " + b.Version
		if b.Revision != "" {
			line += ", revision " + b.Revision[:min(12, len(b.Revision))]
			if b.Modified {
				line += " (modified)"
			}
		}
		fmt.Fprintf(s.stdout, "%s, %s %s\n", line, b.Go, b.Platform)
	})
}
