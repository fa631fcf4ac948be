package main

import (
	"slices"
	"strings"
)

// actionFlags is the flag spelling of the first nlp-canary scripts, which runbooks
// and fingers still know, and the commands that it stands for.
var actionFlags = map[string]string{
	"--status":      "status",
	"--advance":     "advance",
	"--rollback":    "rollback",
	"--history":     "history",
	"--clear-cache": "clear-cache",
	"--version":     "version",
}

// globalValueFlags are the root's flags that take a value: what follows one of
// them is not a command.
var globalValueFlags = []string{"--database", "--server", "--admin", "--note", "-m"}

// translateSpelling rewrites the flag spelling to commands:
//
//	--status                       status
//	--advance                      advance
//	--stage N                      rollback N
//	--rollback [--stage N]         rollback [N]
//	--history [--history-limit N]  history [--limit N]
//	--clear-cache                  clear-cache
//
// A command line that names a command is left alone.
func translateSpelling(args []string) ([]string, error) {
	var actions, rest []string
	stage := ""
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		switch {
		case name == "--stage" || name == "--history-limit":
			if !joined {
				if i+1 == len(args) {
					return args, usage("expected a value after "+name, "for instance "+name+" 0")
				}
				i++
				value = args[i]
			}
			if name == "--stage" {
				stage = value
			} else {
				rest = append(rest, "--limit="+value)
			}
		case actionFlags[args[i]] != "":
			actions = append(actions, args[i])
		case slices.Contains(globalValueFlags, args[i]) && i+1 < len(args):
			rest = append(rest, args[i], args[i+1])
			i++
		case strings.HasPrefix(args[i], "-") && args[i] != "-" && args[i] != "--":
			rest = append(rest, args[i])
		default:
			return args, nil // a command
		}
	}
	if stage != "" && len(actions) == 0 {
		actions = []string{"--rollback"}
	}
	switch {
	case len(actions) == 0 && len(rest) == len(args):
		return args, nil
	case len(actions) == 0:
		return args, usage("--history-limit needs --history", "for instance: nlpcanary --history --history-limit 20")
	case len(actions) > 1:
		return args, usage(strings.Join(actions, " and ")+" cannot be combined", "give one of them")
	case stage != "" && actions[0] == "--advance":
		return args, usage("--advance takes no --stage: it moves on to the next one", "run 'nlpcanary --advance', or 'nlpcanary --rollback --stage "+stage+"'")
	case stage != "" && actions[0] != "--rollback":
		return args, usage("--stage cannot be combined with "+actions[0], "give one of them")
	}
	translated := []string{actionFlags[actions[0]]}
	if stage != "" {
		// "--" so that a stage of -1 is a bad stage rather than an unknown flag; the
		// rest goes first.
		return append(append(translated, rest...), "--", stage), nil
	}
	return append(translated, rest...), nil
}

// hasFlag looks for a flag where the parser failed and cannot tell.
func hasFlag(args []string, name string) bool { return slices.Contains(args, name) }
