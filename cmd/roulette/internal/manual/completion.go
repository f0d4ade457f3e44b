package manual

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Shells are those that Completion knows.
var Shells = []string{"bash", "zsh", "fish"}

// Completion is a script for a shell that completes the program's commands and flags.
func Completion(shell string, program *kong.Node) (string, error) {
	commands := commandsOf(program)
	switch shell {
	case "bash":
		return bash(program.Name, commands), nil
	case "zsh":
		return zsh(program.Name, commands), nil
	case "fish":
		return fish(program.Name, commands), nil
	}
	return "", fmt.Errorf("no completion for %s, only for %s", shell, strings.Join(Shells, ", "))
}

// quote is s as one word of all three shells, which have no escapes but of the quote
// itself between single quotes; fish has one more, of the backslash.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// steps are the lines of a case, of bash and zsh, that follows the words of a command
// line down to the command it is for.
func steps(commands []command, indent string) string {
	var b strings.Builder
	for _, c := range commands[1:] {
		above := ""
		if i := strings.LastIndexByte(c.path, ' '); i >= 0 {
			above = c.path[:i]
		}
		fmt.Fprintf(&b, "%s%s) at=%s ;;\n", indent, quote(above+"/"+c.path[strings.LastIndexByte(c.path, ' ')+1:]), quote(c.path))
	}
	return b.String()
}

// valued calls each flag that takes a value, with the pattern that it has in a case of
// bash and zsh.
func valued(commands []command, each func(pattern string, f flag)) {
	for _, c := range commands {
		for _, f := range c.flags {
			if f.takes {
				each(quote(c.path+":"+f.name), f)
			}
		}
	}
}

func bash(program string, commands []command) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Completes %[1]s in bash: eval "$(%[1]s completion bash)"
_%[1]s() {
  local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD-1]} at= i words=
  # bash takes --flag=value for three words.
  if [ "$word" = = ]; then
    word=
  elif [ "$option" = = ]; then
    option=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at/${COMP_WORDS[i]}" in
%[2]s    esac
  done
  COMPREPLY=()
  case "$at:$option" in
`, program, steps(commands, "    "))
	valued(commands, func(pattern string, f flag) {
		what := "return"
		switch {
		case f.file:
			what = `COMPREPLY=($(compgen -f -- "$word")); return`
		case f.values != nil:
			what = fmt.Sprintf(`COMPREPLY=($(compgen -W %s -- "$word")); return`, quote(strings.Join(f.values, " ")))
		}
		fmt.Fprintf(&b, "    %s) %s ;;\n", pattern, what)
	})
	b.WriteString("  esac\n  case \"$at\" in\n")
	for _, c := range commands {
		words := slices.Clone(c.values)
		for _, d := range c.below {
			words = append(words, d.name)
		}
		for _, f := range c.flags {
			words = append(words, f.name)
		}
		fmt.Fprintf(&b, "    %s) words=%s ;;\n", quote(c.path), quote(strings.Join(words, " ")))
	}
	fmt.Fprintf(&b, `  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _%[1]s %[1]s
`, program)
	return b.String()
}

func zsh(program string, commands []command) string {
	var b strings.Builder
	fmt.Fprintf(&b, `#compdef %[1]s
# Completes %[1]s in zsh: source <(%[1]s completion zsh), or a file _%[1]s in $fpath.
_%[1]s() {
  local at= option=$words[CURRENT-1] i
  local -a below flags
  for ((i = 2; i < CURRENT; i++)); do
    case "$at/$words[i]" in
%[2]s    esac
  done
  if [[ $PREFIX == --*=* ]]; then
    option=${PREFIX%%%%=*}
    compset -P '*='
  fi
  case "$at:$option" in
`, program, steps(commands, "    "))
	valued(commands, func(pattern string, f flag) {
		what := "return 1"
		switch {
		case f.file:
			what = "_files; return"
		case f.values != nil:
			what = "compadd -- " + strings.Join(f.values, " ") + "; return"
		}
		fmt.Fprintf(&b, "    %s) %s ;;\n", pattern, what)
	})
	b.WriteString("  esac\n  case \"$at\" in\n")
	item := func(d described) string { return " " + quote(d.name+":"+strings.ReplaceAll(d.help, ":", `\:`)) }
	for _, c := range commands {
		fmt.Fprintf(&b, "    %s)\n      below=(", quote(c.path))
		for _, v := range c.values {
			b.WriteString(" " + v)
		}
		for _, d := range c.below {
			b.WriteString(item(d))
		}
		b.WriteString(" )\n      flags=(")
		for _, f := range c.flags {
			b.WriteString(item(f.described))
		}
		b.WriteString(" ) ;;\n")
	}
	fmt.Fprintf(&b, `  esac
  (( $#below )) && _describe command below
  _describe -o flag flags
}
if [ "$funcstack[1]" = _%[1]s ]; then
  _%[1]s "$@"
else
  compdef _%[1]s %[1]s
fi
`, program)
	return b.String()
}

func fish(program string, commands []command) string {
	escape := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# Completes %[1]s in fish: %[1]s completion fish | source
function __%[1]s_at
  set -l at ''
  for word in (commandline -opc)[2..]
    switch "$at/$word"
`, program)
	for _, c := range commands[1:] {
		above, name := "", c.path
		if i := strings.LastIndexByte(c.path, ' '); i >= 0 {
			above, name = c.path[:i], c.path[i+1:]
		}
		fmt.Fprintf(&b, "      case %s\n        set at %s\n", escape(above+"/"+name), escape(c.path))
	}
	fmt.Fprintf(&b, `    end
  end
  test "$at" = "$argv[1]"
end
complete -c %s -f
`, program)
	for _, c := range commands {
		line := fmt.Sprintf("complete -c %s -n %s", program, escape("__"+program+"_at "+escape(c.path)))
		for _, v := range c.values {
			fmt.Fprintf(&b, "%s -a %s\n", line, v)
		}
		for _, d := range c.below {
			fmt.Fprintf(&b, "%s -a %s -d %s\n", line, d.name, escape(d.help))
		}
		for _, f := range c.flags {
			fmt.Fprintf(&b, "%s -l %s -d %s", line, strings.TrimPrefix(f.name, "--"), escape(f.help))
			switch {
			case f.file:
				b.WriteString(" -r -F")
			case f.values != nil:
				fmt.Fprintf(&b, " -x -a %s", escape(strings.Join(f.values, " ")))
			case f.takes:
				b.WriteString(" -x")
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}
