//go:build mutation

package simulator

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// mutantSwitch is the environment variable with the number of the mutation that a
// program with all of them makes, from 1.
const mutantSwitch = "ROULETTE_MUTANT"

// edit is a place of a text and what comes instead of it.
type edit struct {
	from, to int
	text     string
}

// apply makes the edits, none of which overlap.
func applyEdits(source string, edits []edit) string {
	slices.SortStableFunc(edits, func(a, b edit) int { return a.from - b.from })
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.WriteString(source[at:e.from])
		b.WriteString(e.text)
		at = e.to
	}
	return b.String() + source[at:]
}

// mutantFile is a source file with all the mutations of it: a function that one of
// them changes begins with a look at the switch, and goes on as a changed copy of
// itself. numbers are the mutations'. out are the numbers of those that change what
// is in no function.
func mutantFile(source string, numbers []int) (mutant string, out []int, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "", source, parser.ParseComments)
	if err != nil {
		return "", nil, err
	}
	offset := func(p token.Pos) int { return set.Position(p).Offset }
	var edits []edit
	var copies strings.Builder
	switches := make(map[*ast.FuncDecl]string)
	for _, n := range numbers {
		m := mutations[n-1]
		at := strings.Index(source, m.old)
		f := functionAt(file, offset, at, at+len(m.old))
		if f == nil {
			out = append(out, n)
			continue
		}
		begin, name := offset(f.Pos()), offset(f.Name.Pos())
		fmt.Fprintf(&copies, "\n%s_mutant%d%s%s%s\n", source[begin:name]+f.Name.Name, n,
			source[offset(f.Name.End()):at], m.new, source[at+len(m.old):offset(f.End())])
		switches[f] += fmt.Sprintf(" if mutant == %d { %s };", n, callOf(f, offset, fmt.Sprintf("%s_mutant%d", f.Name.Name, n)))
	}
	for f, look := range switches {
		body := offset(f.Body.Lbrace) + 1
		edits = append(edits, edit{body, body, look})
		edits = append(edits, namesOf(f, offset)...)
	}
	return applyEdits(source, edits) + copies.String(), out, nil
}

// functionAt is the function whose body has that part of the file, nil if none has.
func functionAt(file *ast.File, offset func(token.Pos) int, from, to int) *ast.FuncDecl {
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil && offset(f.Body.Lbrace) < from && to <= offset(f.End()) {
			return f
		}
	}
	return nil
}

// parameter is the name of a parameter, which gets one if it has none.
func parameter(name *ast.Ident, place int) string {
	if name == nil || name.Name == "_" {
		return fmt.Sprintf("unnamed%d", place)
	}
	return name.Name
}

// callOf is a call of another function with a function's own arguments, which is the
// last that the function does.
func callOf(f *ast.FuncDecl, offset func(token.Pos) int, name string) string {
	var args []string
	for i, field := range f.Type.Params.List {
		names := field.Names
		if len(names) == 0 {
			names = []*ast.Ident{nil}
		}
		for _, n := range names {
			args = append(args, parameter(n, offset(field.Pos())))
		}
		if _, variadic := field.Type.(*ast.Ellipsis); variadic && i == len(f.Type.Params.List)-1 {
			args[len(args)-1] += "..."
		}
	}
	call := name + "(" + strings.Join(args, ", ") + ")"
	if f.Recv != nil {
		field := f.Recv.List[0]
		var n *ast.Ident
		if len(field.Names) > 0 {
			n = field.Names[0]
		}
		call = parameter(n, offset(field.Pos())) + "." + call
	}
	if f.Type.Results != nil {
		return "return " + call
	}
	return call + "; return"
}

// namesOf gives names to a function's parameters that have none.
func namesOf(f *ast.FuncDecl, offset func(token.Pos) int) (edits []edit) {
	fields := slices.Clone(f.Type.Params.List)
	if f.Recv != nil {
		fields = append(fields, f.Recv.List...)
	}
	for _, field := range fields {
		at := offset(field.Pos())
		if len(field.Names) == 0 {
			edits = append(edits, edit{at, at, parameter(nil, at) + " "})
		}
		for _, n := range field.Names {
			if n.Name == "_" {
				edits = append(edits, edit{offset(n.Pos()), offset(n.End()), parameter(n, at)})
			}
		}
	}
	return edits
}

// mutantSources are the files of the program with all mutations, by their paths, and
// the numbers of the mutations that are not in it.
func mutantSources(root string, read func(path string) (string, error)) (files map[string]string, out []int, err error) {
	files = make(map[string]string)
	byFile := make(map[string][]int)
	for i, m := range mutations {
		byFile[m.file] = append(byFile[m.file], i+1)
	}
	for name, numbers := range byFile {
		path := filepath.Join(root, name)
		source, err := read(path)
		if err != nil {
			return nil, nil, err
		}
		text, apart, err := mutantFile(source, numbers)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		files[path] = text
		out = append(out, apart...)
		files[filepath.Join(filepath.Dir(path), "zz_mutant.go")] = fmt.Sprintf(`package %s

import (
	"os"
	"strconv"
)

var mutant, _ = strconv.Atoi(os.Getenv(%q))
`, filepath.Base(filepath.Dir(path)), mutantSwitch)
	}
	return files, out, nil
}
