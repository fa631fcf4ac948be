package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/extract/gold"
	"github.com/nlpcanary/nlpcanary/internal/config"
	"github.com/nlpcanary/nlpcanary/internal/server"
)

type evaluateCmd struct {
	Gold         []string `arg:"" optional:"" help:"Gold files, or folders with some: .jsonl, brat's .ann, Label Studio's .json, .conll. The built-in gold if none is named."`
	Architecture []string `default:"old,new" placeholder:"NAME" help:"What to score: old and new as the configuration says, builtin:single, builtin:ensemble, or a URL (default old,new). The others are compared with the first."`
	Split        string   `enum:",train,dev,test,all" default:"" placeholder:"NAME" help:"Only this part of the gold: train, dev, test or all (default test of the built-in gold, all of yours)."`
	Label        []string `sep:"none" placeholder:"LABEL=TYPE" help:"Read this label of your gold as that type, for instance LOC=location; may be repeated."`
	Config       string   `placeholder:"FILE" help:"The configuration file of serve, which says what old and new are."`
}

// Help is shown by --help.
func (evaluateCmd) Help() string {
	return `Needs no server and no database. docs/gold.md explains the measures and the file formats.`
}

// evaluation is the answer: a report and what it is about.
type evaluation struct {
	Gold  []string `json:"gold"`
	Split string   `json:"split"`
	gold.Report
}

const (
	builtinGold = "builtin"
	// enoughTime is how long an architecture reads before its speed is worth telling.
	enoughTime = 300 * time.Millisecond
)

// Run scores the architectures. It fails if one of them failed on a document.
func (cmd evaluateCmd) Run(ctx context.Context, s *session) error {
	architectures, err := cmd.architectures()
	if err != nil {
		return err
	}
	report := evaluation{Gold: cmd.Gold, Split: cmd.Split}
	documents, err := cmd.documents(&report)
	if err != nil {
		return err
	}
	bar := startProgress(s, len(architectures)*len(documents))
	var runs []gold.Run
	for _, a := range architectures {
		var one gold.Run
		if one, err = gold.AskAll(ctx, a, documents, bar.step); err != nil {
			break
		}
		one.Retime(ctx, a, documents, enoughTime)
		runs = append(runs, one)
	}
	bar.end()
	if err != nil {
		return fmt.Errorf("reading the gold: %w", err)
	}
	report.Report = gold.Evaluate(documents, runs)
	raw, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encoding the report: %w", err)
	}
	if err := s.answer(raw, func() { s.writeEvaluation(report) }); err != nil {
		return err
	}
	for _, a := range report.Architectures {
		if a.Failed > 0 {
			return failed(fmt.Sprintf("%s failed on %s of %s, which count as ones where it found nothing; the first: %s",
				a.Architecture, countText(int64(a.Failed)), plural(report.Documents, "document", "documents"), printable(a.FirstFailure)), "")
		}
	}
	return nil
}

func (cmd evaluateCmd) architectures() ([]extract.Extractor, error) {
	file, err := configuration(cmd.Config)
	if err != nil {
		return nil, err
	}
	configured := map[string]*config.Architecture{"old": file.Architectures.Old, "new": file.Architectures.New}
	usual := map[string]string{"old": config.BuiltinSingle, "new": config.BuiltinEnsemble}
	var found []extract.Extractor
	for _, name := range cmd.Architecture {
		c := config.Architecture{Use: name}
		switch {
		case configured[name] != nil:
			c = *configured[name]
		case usual[name] != "":
			c.Use = usual[name]
		}
		e, err := server.Architecture(c)
		if err != nil {
			return nil, usage(err.Error(), "name old, new, builtin:single, builtin:ensemble, or an http or https URL")
		}
		found = append(found, e)
	}
	return found, nil
}

// documents reads the gold and completes what the report says of it.
func (cmd evaluateCmd) documents(report *evaluation) ([]gold.Document, error) {
	labels := gold.Labels{}
	for _, entry := range cmd.Label {
		if err := labels.ParseLabel(entry); err != nil {
			return nil, usage(err.Error(), "the types are location, character, atmosphere, object and action")
		}
	}
	documents, err := gold.Builtin()
	if len(cmd.Gold) > 0 {
		documents, err = gold.Read(cmd.Gold, labels)
	}
	var refused *gold.FormatError
	switch {
	case errors.As(err, &refused):
		return nil, &failure{exit: exitUsage, code: "invalid_arguments", message: err.Error(), hint: "docs/gold.md describes the formats; --label reads labels of your own", err: err}
	case err != nil:
		return nil, err
	}
	if len(cmd.Gold) == 0 {
		report.Gold = []string{builtinGold}
		if report.Split == "" {
			report.Split = string(gold.Test)
		}
	}
	if report.Split == "" {
		report.Split = "all"
	}
	if report.Split != "all" {
		documents = gold.InSplit(documents, gold.Split(report.Split))
	}
	if len(documents) == 0 {
		return nil, usage(fmt.Sprintf("no document of %s is in the split %s", strings.Join(report.Gold, ", "), report.Split), "leave --split out, or give the documents a \"split\"")
	}
	return documents, nil
}
