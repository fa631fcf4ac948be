package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is shown by --help.
func (completionCmd) Help() string {
	return `bash:  source <(nlpcanary completion bash)

zsh:   source <(nlpcanary completion zsh)

fish:  nlpcanary completion fish | source`
}

// Run prints a completion script made from the command line's own model.
func (cmd completionCmd) Run(s *session) error {
	places := completionPlaces(s.parser.Model.Node)
	switch cmd.Shell {
	case "bash":
		writeBash(s.stdout, places)
	case "zsh":
		writeZsh(s.stdout, places)
	case "fish":
		writeFish(s.stdout, places)
	}
	return nil
}

// completionPlace is a command and what may follow it.
type completionPlace struct {
	path  string // "flag set"; empty at the root
	words []completionWord
	// flags that take a value, with the values if they are known
	values map[string][]string
	files  bool // its argument is a file
}

type completionWord struct{ word, help string }

// completionPlaces walks the commands. The flags of everywhere are left out below
// the root's commands' own, but offered at every place.
func completionPlaces(root *kong.Node) []completionPlace {
	var places []completionPlace
	var walk func(node *kong.Node, path []string, flags []*kong.Flag)
	walk = func(node *kong.Node, path []string, flags []*kong.Flag) {
		place := completionPlace{path: strings.Join(path, " "), values: map[string][]string{}}
		for _, child := range node.Children {
			if !child.Hidden {
				place.words = append(place.words, completionWord{child.Name, child.Help})
			}
		}
		for _, argument := range node.Positional {
			for _, value := range enumOf(argument) {
				place.words = append(place.words, completionWord{value, argument.Name})
			}
			place.files = place.files || argument.Name == "file" || argument.Name == "path"
		}
		flags = append(slices.Clone(flags), node.Flags...)
		for _, flag := range flags {
			if flag.Hidden {
				continue
			}
			place.words = append(place.words, completionWord{"--" + flag.Name, flag.Help})
			if !flag.IsBool() {
				place.values["--"+flag.Name] = enumOf(flag.Value)
			}
		}
		places = append(places, place)
		for _, child := range node.Children {
			if !child.Hidden {
				walk(child, append(slices.Clone(path), child.Name), flags)
			}
		}
	}
	walk(root, nil, nil)
	return places
}

func enumOf(value *kong.Value) []string {
	if value.Enum == "" {
		return nil
	}
	return strings.Split(value.Enum, ",")
}

func (p completionPlace) list() string {
	words := make([]string, len(p.words))
	for i, w := range p.words {
		words[i] = w.word
	}
	return strings.Join(words, " ")
}

// valued is the case pattern of the flags that take a value.
func valued(places []completionPlace) string {
	var flags []string
	for _, place := range places {
		for flag := range place.values {
			flags = append(flags, flag)
		}
	}
	slices.Sort(flags)
	return strings.Join(slices.Compact(flags), "|")
}

// The bash and zsh functions find the command that the words so far name: words
// that are neither flags nor the values of flags, for as long as they are commands.
const pathLoop = `  local place="" skip="" word
  for word in "${before[@]}"; do
    if [[ -n $skip ]]; then skip=""; continue; fi
    case "$word" in
      %s) skip=1; continue ;;
      -*) continue ;;
    esac
    case "${place:+$place }$word" in
      %s) place="${place:+$place }$word" ;;
    esac
  done
`

func commandPattern(places []completionPlace) string {
	var quoted []string
	for _, place := range places[1:] {
		quoted = append(quoted, `"`+place.path+`"`)
	}
	return strings.Join(quoted, "|")
}

func writeBash(w io.Writer, places []completionPlace) {
	fmt.Fprint(w, "# bash completion for nlpcanary\n_nlpcanary() {\n")
	fmt.Fprint(w, "  local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n")
	fmt.Fprint(w, "  local before=(\"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n")
	fmt.Fprintf(w, pathLoop, valued(places), commandPattern(places))
	fmt.Fprint(w, "  local words=\"\" files=\"\"\n  case \"$place:$previous\" in\n")
	for _, place := range places {
		for _, flag := range sortedKeys(place.values) {
			if values := place.values[flag]; values != nil {
				fmt.Fprintf(w, "    %q) words=%q ;;\n", place.path+":"+flag, strings.Join(values, " "))
			}
		}
	}
	fmt.Fprintf(w, "    *) case \"$previous\" in\n      %s) files=1 ;;\n      *) case \"$place\" in\n", valued(places))
	for _, place := range places {
		files := ""
		if place.files {
			files = " files=1;"
		}
		fmt.Fprintf(w, "        %q)%s words=%q ;;\n", place.path, files, place.list())
	}
	fmt.Fprint(w, "      esac ;;\n    esac ;;\n  esac\n")
	fmt.Fprint(w, "  COMPREPLY=()\n  local line\n")
	fmt.Fprint(w, "  while IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen -W \"$words\" -- \"$current\")\n")
	fmt.Fprint(w, "  if [[ -n $files && $current != -* ]]; then\n")
	fmt.Fprint(w, "    while IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen -f -- \"$current\")\n  fi\n}\n")
	fmt.Fprint(w, "complete -o filenames -F _nlpcanary nlpcanary\n")
}

func writeZsh(w io.Writer, places []completionPlace) {
	fmt.Fprint(w, "#compdef nlpcanary\n_nlpcanary() {\n")
	fmt.Fprint(w, "  local previous=\"${words[CURRENT-1]}\"\n  local -a before=(\"${(@)words[2,CURRENT-1]}\")\n")
	fmt.Fprintf(w, pathLoop, valued(places), commandPattern(places))
	fmt.Fprint(w, "  local -a offers\n  case \"$place:$previous\" in\n")
	for _, place := range places {
		for _, flag := range sortedKeys(place.values) {
			if values := place.values[flag]; values != nil {
				fmt.Fprintf(w, "    %q) offers=(%s) ;;\n", place.path+":"+flag, strings.Join(values, " "))
			}
		}
	}
	fmt.Fprintf(w, "    *) case \"$previous\" in\n      %s) _files; return ;;\n      *) case \"$place\" in\n", valued(places))
	for _, place := range places {
		fmt.Fprintf(w, "        %q)", place.path)
		if place.files {
			fmt.Fprint(w, " [[ $PREFIX != -* ]] && _files;")
		}
		fmt.Fprint(w, " offers=(\n")
		for _, word := range place.words {
			fmt.Fprintf(w, "          %s\n", shellQuote(strings.ReplaceAll(word.word, ":", `\:`)+":"+word.help))
		}
		fmt.Fprint(w, "        ) ;;\n")
	}
	fmt.Fprint(w, "      esac ;;\n    esac ;;\n  esac\n  _describe nlpcanary offers\n}\n")
	// Sourced, it must be registered; in a directory of $fpath, run.
	fmt.Fprint(w, "if [[ ${funcstack[1]} == _nlpcanary ]]; then _nlpcanary \"$@\"; else compdef _nlpcanary nlpcanary; fi\n")
}

func writeFish(w io.Writer, places []completionPlace) {
	fmt.Fprint(w, "# fish completion for nlpcanary\nfunction __nlpcanary_path\n")
	fmt.Fprint(w, "  set -l path\n  set -l skip\n  for word in (commandline -opc)[2..-1]\n")
	fmt.Fprint(w, "    if test -n \"$skip\"; set skip; continue; end\n    switch $word\n")
	fmt.Fprintf(w, "      case %s\n        set skip 1\n        continue\n", strings.ReplaceAll(valued(places), "|", " "))
	fmt.Fprint(w, "      case '-*'\n        continue\n    end\n    switch (string join ' ' $path $word)\n")
	fmt.Fprintf(w, "      case %s\n        set -a path $word\n    end\n  end\n", strings.ReplaceAll(commandPattern(places), "|", " "))
	fmt.Fprint(w, "  test (string join ' ' $path) = \"$argv[1]\"\nend\ncomplete -c nlpcanary -f\n")
	for _, place := range places {
		condition := shellQuote("__nlpcanary_path " + shellQuote(place.path))
		if place.files {
			fmt.Fprintf(w, "complete -c nlpcanary -n %s -F\n", condition)
		}
		for _, word := range place.words {
			flag, isFlag := strings.CutPrefix(word.word, "--")
			if !isFlag {
				fmt.Fprintf(w, "complete -c nlpcanary -n %s -a %s -d %s\n", condition, word.word, shellQuote(word.help))
				continue
			}
			takes := ""
			if values, isValued := place.values[word.word]; isValued {
				takes = " -r"
				if values != nil {
					takes = " -x -a " + shellQuote(strings.Join(values, " "))
				}
			}
			fmt.Fprintf(w, "complete -c nlpcanary -n %s -l %s%s -d %s\n", condition, flag, takes, shellQuote(word.help))
		}
	}
}

func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func sortedKeys(values map[string][]string) []string {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
