package manual

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Section is one that the model does not know, such as FILES.
type Section struct {
	Title string
	Items []Item
}

// Item is a term and what it means.
type Item struct{ Term, Text string }

// Page is the manual page of a program, for section 1, with more sections at its end.
// It names no date and no version: a page of the same flags is the same.
func Page(program *kong.Node, more ...Section) string {
	p := page{program: program.Name, usual: program.DefaultCmd}
	p.line(`.TH %s 1 "" "%s" "User Commands"`, strings.ToUpper(program.Name), program.Name)
	p.line(".SH NAME")
	short, _, _ := strings.Cut(program.Help, ":")
	p.line(`%s \- %s`, program.Name, text(strings.ToLower(short[:1])+short[1:]))
	p.line(".SH SYNOPSIS")
	p.synopsis(program)
	p.line(".SH DESCRIPTION")
	p.paragraph(program.Help)
	for _, c := range program.Children {
		if !c.Hidden {
			p.command(c, c.Name)
		}
	}
	for _, s := range more {
		p.line(".SH %s", strings.ToUpper(s.Title))
		for _, i := range s.Items {
			p.item(i.Term, i.Text)
		}
	}
	return p.String()
}

type page struct {
	strings.Builder
	program string
	usual   *kong.Node // the command that is meant when none is named; others may share its flags
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// paragraph writes text of its own.
func (p *page) paragraph(s string) { p.line("%s", text(s)) }

// item writes a term and, indented, what it means.
func (p *page) item(term, meaning string) {
	p.line(".TP\n\\fB%s\\fR\n%s", text(term), text(meaning))
}

func (p *page) synopsis(program *kong.Node) {
	for i, c := range program.Children {
		if c.Hidden {
			continue
		}
		if i > 0 {
			p.line(".br")
		}
		name := text(c.Name)
		if c == program.DefaultCmd {
			name = "[" + name + "]"
		}
		p.line(`\fB%s\fR %s%s`, text(p.program), name, text(rest(c)))
	}
}

// rest is what may follow a command's name.
func rest(n *kong.Node) string {
	var b strings.Builder
	if len(n.Children) > 0 {
		var names []string
		for _, c := range n.Children {
			names = append(names, c.Name)
		}
		fmt.Fprintf(&b, " [%s]", strings.Join(names, " | "))
	}
	for _, a := range n.Positional {
		b.WriteString(" " + a.Summary())
	}
	if len(n.Flags) > 0 {
		b.WriteString(" [flags]")
	}
	return b.String()
}

// command writes the section of a command, and those of the commands below it.
func (p *page) command(n *kong.Node, path string) {
	p.line(".SH %s", text(strings.ToUpper(path)))
	p.paragraph(n.Help)
	for _, a := range n.Positional {
		p.item(a.Summary(), a.Help)
	}
	flags := n.Flags
	if usual := p.usual; n != usual && usual != nil {
		flags = slices.DeleteFunc(slices.Clone(flags), func(f *kong.Flag) bool {
			return f.Group != nil && slices.ContainsFunc(usual.Flags, func(u *kong.Flag) bool { return u.Name == f.Name })
		})
		if len(flags) < len(n.Flags) {
			p.line(".PP")
			p.paragraph("It takes all flags of " + p.program + " " + usual.Name + " as well.")
		}
	}
	group := ""
	for _, f := range flags {
		if f.Group != nil && f.Group.Title != group {
			group = f.Group.Title
			p.line(".SS %s", text(group))
		}
		term := "--" + f.Name
		if !f.IsBool() {
			term += " " + strings.ToUpper(f.FormatPlaceHolder())
		}
		meaning := f.Help
		for _, env := range f.Envs {
			meaning += " Environment: " + env + "."
		}
		p.item(term, meaning)
	}
	for _, c := range n.Children {
		if !c.Hidden {
			p.command(c, path+" "+c.Name)
		}
	}
}

// text is s with what roff would take for its own.
func text(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\[u2026]`, "\n", " ").Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
