package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// fileFlag is the flag that names the file. It is no key of it.
const fileFlag = "config"

// Loader completes what kong has parsed of a command line.
type Loader struct {
	prefix   string
	commands []string
	inner    map[*kong.Value]kong.Mapper // of the settings
	known    []string                    // every variable that belongs to a flag
	wrong    []Mistake                   // of flags
}

// New returns a Loader for the settings of these commands of a parser that has
// not parsed yet, whose variables in the environment begin with prefix and an
// underscore. A flag that has no such variable is none of the Loader's business.
func New(parser *kong.Kong, prefix string, commands ...string) *Loader {
	l := &Loader{prefix: prefix, commands: commands, inner: make(map[*kong.Value]kong.Mapper)}
	l.variables(parser.Model.Node)
	for _, node := range parser.Model.Children {
		if !slices.Contains(commands, node.Name) {
			continue
		}
		for _, f := range Settings(node) {
			l.inner[f.Value] = f.Mapper
			f.Mapper = collector{f.Mapper, l}
			f.Tag.Envs = nil // kong would stop at the first mistake
		}
	}
	return l
}

func (l *Loader) variables(node *kong.Node) {
	for _, f := range node.Flags {
		l.known = append(l.known, f.Envs...)
	}
	for _, child := range node.Children {
		l.variables(child)
	}
}

// Settings are the flags of a command that may stand in the environment, the one
// that names the file included.
func Settings(node *kong.Node) (flags []*kong.Flag) {
	for _, f := range node.Flags {
		if len(f.Envs) > 0 {
			flags = append(flags, f)
		}
	}
	return flags
}

// Help is a [kong.HelpValueFormatter] that names the variables of settings too.
func Help(v *kong.Value) string {
	if v.Flag == nil {
		return kong.DefaultHelpValueFormatter(v)
	}
	tag, value := *v.Tag, *v
	tag.Envs = v.Flag.Envs
	value.Tag = &tag
	return kong.DefaultHelpValueFormatter(&value)
}

// collector reads the value of a flag and lets kong go on if it is wrong.
type collector struct {
	kong.Mapper
	loader *Loader
}

func (c collector) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	err := c.Mapper.Decode(ctx, target)
	if err == nil {
		err = inEnum(ctx.Value, target)
	}
	if err != nil {
		c.loader.wrong = append(c.loader.wrong, Mistake{ctx.Value.Name, Origin{Kind: Flag}, err})
		c.loader.setDefault(ctx.Value, target)
	}
	return nil
}

// setDefault gives a value that was wrong another that is not.
func (l *Loader) setDefault(v *kong.Value, target reflect.Value) {
	target.Set(reflect.Zero(target.Type()))
	if v.HasDefault {
		if d, err := l.decode(v, v.Default); err == nil {
			target.Set(d)
		}
	}
}

// decode reads text as the value of v.
func (l *Loader) decode(v *kong.Value, text string) (reflect.Value, error) {
	target := reflect.New(v.Target.Type()).Elem()
	scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: text})
	err := l.inner[v].Decode(&kong.DecodeContext{Value: v, Scan: scan}, target)
	if err == nil {
		err = inEnum(v, target)
	}
	return target, err
}

func inEnum(v *kong.Value, target reflect.Value) error {
	if text := fmt.Sprint(target.Interface()); v.Enum != "" && !slices.Contains(v.EnumSlice(), text) {
		return fmt.Errorf("%q is not one of %s", text, strings.Join(v.EnumSlice(), ", "))
	}
	return nil
}

// Load completes the settings of the command that ctx is about with those of the
// environment and the file. It returns nil for another command.
func (l *Loader) Load(ctx *kong.Context) *Values {
	node := ctx.Selected()
	if node == nil || !slices.Contains(l.commands, node.Name) {
		return nil
	}
	v := &Values{byKey: make(map[string]*setting), Mistakes: l.wrong}
	given := make(map[*kong.Flag]bool)
	for _, p := range ctx.Path {
		if p.Flag != nil {
			given[p.Flag] = true
		}
	}
	for _, f := range Settings(node) {
		s := &setting{flag: f}
		if given[f] {
			s.origin.Kind = Flag
		}
		v.byKey[f.Name] = s
		if f.Name == fileFlag {
			v.file = s
			l.fromEnvironment(v, s)
		} else {
			v.settings = append(v.settings, s)
		}
	}
	for _, m := range l.wrong {
		v.byKey[m.Key].wrong = true
	}
	l.fromFile(v)
	for _, s := range v.settings {
		l.fromEnvironment(v, s)
	}
	v.Strays = l.strays()
	return v
}

// Wrong are the mistakes of flags, for a command line that kong has refused.
func (l *Loader) Wrong() []error { return asErrors(l.wrong) }

// take reads text, found at origin, as the value of s, which it becomes unless
// there is one of a higher source.
func (l *Loader) take(v *Values, s *setting, origin Origin, text string) {
	value, err := l.decode(s.flag.Value, text)
	wins := origin.Kind >= s.origin.Kind
	if err != nil {
		v.Mistakes = append(v.Mistakes, Mistake{s.flag.Name, origin, err})
		s.wrong = s.wrong || wins
		return
	}
	if wins {
		s.flag.Target.Set(value)
		s.origin = origin
		s.wrong = false
	}
}

func (l *Loader) fromEnvironment(v *Values, s *setting) {
	for _, name := range s.flag.Envs {
		if text, ok := os.LookupEnv(name); ok && (text != "" || canBeEmpty(s.flag.Value)) {
			l.take(v, s, Origin{Kind: Environment, Name: name}, text)
			return
		}
	}
}

// canBeEmpty says whether an empty text is a value: of free text and of lists. For
// others, such as numbers and times, an empty variable is as good as none: that is how
// a compose file passes one on that is not set.
func canBeEmpty(v *kong.Value) bool {
	kind := v.Target.Kind()
	own := reflect.PointerTo(v.Target.Type()).Implements(unmarshal)
	return v.Enum == "" && !own && (kind == reflect.String || kind == reflect.Slice)
}

// serviceLink are the names of variables that Kubernetes makes of services.
var serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// strays are variables that begin like ours and belong to no flag.
func (l *Loader) strays() (names []string) {
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, l.prefix+"_") && !slices.Contains(l.known, name) && !serviceLink.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
