package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"roulette/cmd/roulette/internal/endtoend/program"
)

// shells complete a line, whose last word is not finished, by the script, in a shell
// of their own. zsh completes in its line editor alone, so there the builtins of that
// are functions that print.
var shells = map[string]string{
	"bash": `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _roulette; printf '%s\n' "${COMPREPLY[@]}"`,
	"fish": `source $argv[1]; complete -C (string join -- ' ' $argv[2..])`,
	"zsh": `compdef() { : }; compadd() { shift; print -l -- $@ }; _files() { print -l -- *(N) }
		_describe() { [[ $1 == -o ]] && shift; local item; for item in ${(P)2}; do print -r -- ${item%%:*}; done }
		compset() { PREFIX=${PREFIX#*=} }
		source $1; shift; words=("$@"); CURRENT=$#; PREFIX=$words[CURRENT]; _roulette; true`,
}

// completed are the words that a shell offers for the last one of a line.
func completed(t *testing.T, shell, script string, line ...string) (words []string) {
	t.Helper()
	args := []string{"-c", shells[shell], "complete", script}
	switch shell {
	case "fish":
		args = slices.Delete(args, 2, 3)
	case "bash":
		var split []string // at the equals sign, as bash does
		for _, w := range line {
			if name, value, found := strings.Cut(w, "="); found {
				split = append(split, name, "=")
				if value != "" {
					split = append(split, value)
				}
			} else {
				split = append(split, w)
			}
		}
		line = split
	}
	cmd := exec.Command(shell, append(args, line...)...)
	cmd.Dir = filepath.Dir(script)
	cmd.Env = append(os.Environ(), "HOME="+cmd.Dir, "XDG_CONFIG_HOME="+cmd.Dir)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.String() != "" {
		t.Fatalf("%s, %q: %v\n%s", shell, line, err, errs.String())
	}
	last := line[len(line)-1]
	for l := range strings.Lines(string(out)) {
		word, _, _ := strings.Cut(strings.TrimSpace(l), "\t")
		if i := strings.LastIndexByte(word, '='); i >= 0 {
			word = word[i+1:] // fish repeats the flag
		}
		if word != "" && (strings.HasPrefix(word, last) || shell != "zsh" || strings.ContainsRune(last, '=')) {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// TestCompletion: each shell offers, for every command, the flags that it has and the
// commands that are below it; for a flag the values that there are; and for one that
// wants a file, files.
func TestCompletion(t *testing.T) {
	parser, err := kong.New(new(cli), kong.Name("roulette"), kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	for shell := range shells {
		t.Run(shell, func(t *testing.T) {
			program.Installed(t, shell)
			var out strings.Builder
			if code := run([]string{"completion", shell}, &out, io.Discard); code != exitOK {
				t.Fatalf("exit code %d", code)
			}
			script := filepath.Join(t.TempDir(), "script")
			if err := os.WriteFile(script, []byte(out.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			var offers func(node *kong.Node, path []string)
			offers = func(node *kong.Node, path []string) {
				var names []string
				for _, child := range node.Children {
					names = append(names, child.Name)
					offers(child, append(slices.Clone(path), child.Name))
				}
				slices.Sort(names)
				if got := completed(t, shell, script, append(path, "")...); !containsAll(got, names) {
					t.Errorf("%q: offers %q, want %q", path, got, names)
				}
				var flags []string
				for _, f := range node.Flags {
					flags = append(flags, "--"+f.Name)
					if f.Enum != "" {
						want := slices.Sorted(slices.Values(f.EnumSlice()))
						for _, line := range [][]string{{"--" + f.Name, ""}, {"--" + f.Name + "="}} {
							if got := completed(t, shell, script, append(slices.Clone(path), line...)...); !slices.Equal(got, want) {
								t.Errorf("%q %q: offers %q, want %q", path, line, got, want)
							}
						}
					}
				}
				if got := completed(t, shell, script, append(path, "--")...); !containsAll(got, flags) {
					t.Errorf("%q: offers %q, want %q", path, got, flags)
				}
			}
			offers(parser.Model.Node, []string{"roulette"})
			if got := completed(t, shell, script, "roulette", "serve", "--config", ""); !slices.Contains(got, "script") {
				t.Errorf("--config: offers %q", got)
			}
			if got := completed(t, shell, script, "roulette", "completion", ""); !containsAll(got, []string{"bash", "fish", "zsh"}) {
				t.Errorf("completion: offers %q", got)
			}
			if got := completed(t, shell, script, "roulette", "--admin", ""); len(got) > 0 && !strings.HasPrefix(fmt.Sprint(got), "[script") {
				t.Errorf("an address: offers %q", got)
			}
		})
	}
}

func containsAll(have, want []string) bool {
	return !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(have, w) })
}

// TestManualPage: it names every command, every flag and every variable, and groff
// has nothing to say about it.
func TestManualPage(t *testing.T) {
	page, _, code := said(t, nil, "man")
	if code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	plain := strings.ReplaceAll(page, `\-`, "-")
	for _, f := range settingsOf(t) {
		if !strings.Contains(plain, `\fB--`+f.Name) || !strings.Contains(plain, "Environment: "+f.Envs[0]) {
			t.Errorf("no --%s", f.Name)
		}
	}
	program.Installed(t, "groff")
	lint := exec.Command("groff", "-man", "-ww", "-z", "-Tutf8")
	lint.Stdin = strings.NewReader(page)
	if out, err := lint.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}

// TestHelpCommand: roulette help says what --help says, of each command.
func TestHelpCommand(t *testing.T) {
	for _, command := range []string{"", "serve", "chat", "bench", "bench soak", "check-config", "help"} {
		words := strings.Fields(command)
		want, _, _ := said(t, nil, append(slices.Clone(words), "--help")...)
		got, errs, code := said(t, nil, append([]string{"help"}, words...)...)
		if code != exitOK || got != want || errs != "" || got == "" {
			t.Errorf("help %s: exit code %d, %q, %q", command, code, errs, got)
		}
	}
	if _, errs, code := said(t, nil, "help", "nonsense"); code != exitUsage || strings.Count(errs, "\n") != 1 {
		t.Errorf("exit code %d, %q", code, errs)
	}
	version, _, _ := said(t, nil, "version")
	if flag, _, _ := said(t, nil, "--version"); version != flag || version == "" {
		t.Errorf("%q, --version says %q", version, flag)
	}
}
