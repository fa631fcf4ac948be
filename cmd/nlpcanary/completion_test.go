package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func completionScript(t *testing.T, shell string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	if exit := run(context.Background(), []string{"completion", shell}, nil, strings.NewReader(""), &stdout, &stderr); exit != exitOK {
		t.Fatalf("exit %d: %s", exit, stderr.String())
	}
	return stdout.String()
}

func TestCompletionScriptsParse(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			script := completionScript(t, shell)
			for _, command := range []string{"rollback", "clear-cache", "finalise"} {
				if !strings.Contains(script, command) {
					t.Errorf("the script does not know %s", command)
				}
			}
			program, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("%s is not installed", shell)
			}
			path := filepath.Join(t.TempDir(), "script")
			if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(program, "-n", path).CombinedOutput(); err != nil { //nolint:gosec // a shell of this machine
				t.Errorf("%s -n: %v\n%s", shell, err, out)
			}
		})
	}
}

// What bash offers, asked of bash itself.
func TestBashCompletion(t *testing.T) {
	program, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	script := completionScript(t, "bash")
	for _, test := range []struct {
		typed []string // the last word is the one under the cursor
		want  string
	}{
		{[]string{"ro"}, "rollback rollout"},
		{[]string{"flag", "s"}, "set"},
		{[]string{"--database", "sqlite:x.db", "flag", "set", "NAME", "o"}, "on off"},
		{[]string{"token", "create", "ann", "--role", "a"}, "admin"},
		{[]string{"metrics", "--window", ""}, "stage rollout"},
		{[]string{"rollback", "--dr"}, "--dry-run"},
		{[]string{"completion", "f"}, "fish"},
	} {
		call := "COMP_WORDS=(nlpcanary"
		for _, word := range test.typed {
			call += " " + shellQuote(word)
		}
		call += "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _nlpcanary; echo \"${COMPREPLY[*]}\"\n"
		command := exec.Command(program, "--norc") //nolint:gosec // a shell of this machine
		command.Stdin = strings.NewReader(script + call)
		command.Dir = t.TempDir()
		out, err := command.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != test.want {
			t.Errorf("%q: bash offers %q (%v); want %q", test.typed, got, err, test.want)
		}
	}
}
