package config

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/alecthomas/kong"
)

// length is a type with a text of its own, as a size is.
type length int

func (l *length) UnmarshalText(text []byte) error {
	*l = length(len(text))
	return nil
}

func (l length) MarshalText() ([]byte, error) { return []byte(strings.Repeat("x", int(l))), nil }

// line is a command line with a setting of each kind.
type line struct {
	Run struct {
		Config string
		Text   string        `default:"t"`
		Kind   string        `enum:"a,b" default:"a"`
		List   []string      `default:"l"`
		Number int           `default:"1" live:""`
		Share  float64       `default:"0.5"`
		Time   time.Duration `default:"1s"`
		Size   length        `default:"x"`
		Level  slog.Level    `default:"info"`
		On     bool          `live:""`
		Not    string        `env:"-"` // no setting
	} `cmd:""`
	Other struct{} `cmd:""`
}

// kinds are the settings, each with two values that are not its default, as TOML,
// with what it then is, and one value that is wrong; "": there is none.
var kinds = []struct {
	key, toml, wrong string
	file, env, flag  string // in the file as toml says
	empty            bool   // is a value
}{
	{"text", `"f"`, "", "f", "e", "g", true},
	{"kind", `"b"`, "c", "b", "b", "b", false},
	{"list", `["f", "f,f"]`, "", `f,f\,f`, "e,e", "g", true},
	{"number", `0x10`, "many", "16", "17", "18", false},
	{"share", `0.25`, "half", "0.25", "0.75", "1", false},
	{"time", `"1m"`, "soon", "1m", "2m", "3m", false},
	{"size", `"xx"`, "", "xx", "xxx", "xxxx", false},
	{"level", `"warn"`, "loud", "warn", "error", "debug", false},
	{"on", `true`, "perhaps", "true", "true", "true", false},
}

// load reads a command line with this file and environment.
func load(t testing.TB, file string, env []string, args ...string) (*line, *Values, error) {
	t.Helper()
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	if file != "" {
		path := filepath.Join(t.TempDir(), "settings.toml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"--config", path}, args...)
	}
	return parse(append([]string{"run"}, args...))
}

func parse(args []string) (*line, *Values, error) {
	l := new(line)
	parser, err := kong.New(l, kong.DefaultEnvars("TEST"), kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))
	if err != nil {
		panic(err)
	}
	loader := New(parser, "TEST", "run")
	ctx, err := parser.Parse(args)
	if err != nil {
		return l, nil, err
	}
	return l, loader.Load(ctx), nil
}

// value is how a setting stands in the file now.
func value(v *Values, key string) string { return Line(v.byKey[key].flag) }

func variable(key string) string { return "TEST_" + strings.ToUpper(key) }

// TestHigherSourceWins: for a setting of each kind and every set of sources, the
// highest one has its way and is named.
func TestHigherSourceWins(t *testing.T) {
	for _, k := range kinds {
		for sources := range 8 {
			var file string
			var env, args []string
			want, origin := "", Default
			if sources&1 != 0 {
				file, want, origin = k.key+" = "+k.toml+"\n", k.file, File
			}
			if sources&2 != 0 {
				env, want, origin = []string{variable(k.key) + "=" + k.env}, k.env, Environment
			}
			if sources&4 != 0 {
				args, want, origin = []string{"--" + k.key + "=" + k.flag}, k.flag, Flag
			}
			t.Run(k.key, func(t *testing.T) {
				_, v, err := load(t, file, env, args...)
				if err != nil || len(v.Mistakes) > 0 {
					t.Fatal(err, v.Mistakes)
				}
				var expected *Values
				if origin == Default {
					_, expected, err = parse([]string{"run"})
				} else {
					_, expected, err = parse([]string{"run", "--" + k.key + "=" + want})
				}
				if err != nil || value(v, k.key) != value(expected, k.key) || v.byKey[k.key].origin.Kind != origin {
					t.Errorf("sources %03b: %s of %v, want %s of %v", sources, value(v, k.key), v.byKey[k.key].origin, value(expected, k.key), origin)
				}
			})
		}
	}
}

// TestEmptyVariable: of what cannot be empty, such as a number, an empty variable is
// no value, whatever stands below it.
func TestEmptyVariable(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.key, func(t *testing.T) {
			_, v, err := load(t, k.key+" = "+k.toml+"\n", []string{variable(k.key) + "="})
			if err != nil || len(v.Mistakes) > 0 {
				t.Fatal(err, v.Mistakes)
			}
			want := File
			if k.empty {
				want = Environment
			}
			if got := v.byKey[k.key].origin.Kind; got != want {
				t.Errorf("%s, of %v", value(v, k.key), v.byKey[k.key].origin)
			}
		})
	}
}

// TestEveryMistake: a wrong value is found in whichever source it stands, also where
// a higher one would hide it, and named with its place.
func TestEveryMistake(t *testing.T) {
	for _, k := range kinds {
		if k.wrong == "" {
			continue
		}
		t.Run(k.key, func(t *testing.T) {
			_, v, err := load(t, "\n"+k.key+` = ["x"]`+"\n", []string{variable(k.key) + "=" + k.wrong}, "--"+k.key+"="+k.wrong)
			if err != nil {
				t.Fatal(err)
			}
			var where []string
			for _, m := range v.Mistakes {
				where = append(where, strings.Fields(m.Error())[0])
			}
			if len(where) != 3 || where[0] != "--"+k.key+":" || !strings.HasSuffix(where[1], "settings.toml:2:") || where[2] != variable(k.key)+":" {
				t.Errorf("%q", v.Mistakes)
			}
		})
	}
}

// TestByteOrderMark: it is no part of the file, and its lines count as ever.
func TestByteOrderMark(t *testing.T) {
	l, v, err := load(t, "\ufeffnumber = 3\r\nnumbre = 4\r\n", nil)
	if err != nil || l.Run.Number != 3 || len(v.Mistakes) != 1 || v.Mistakes[0].Origin.Line != 2 {
		t.Errorf("%v, %v, number %d", err, v.Mistakes, l.Run.Number)
	}
	if _, v, _ = load(t, "number = 3\n\ufeff", nil); len(v.Mistakes) == 0 {
		t.Error("one in the middle is taken")
	}
}

// TestStrays: variables that begin like ours are told, but for those that Kubernetes
// makes of services; and another command has no settings.
func TestStrays(t *testing.T) {
	_, v, err := load(t, "", []string{"TEST_NUMBRE=3", "TEST_NUMBER=3", "TEST_WEB_SERVICE_HOST=10.0.0.1", "TEST_WEB_PORT_80_TCP_ADDR=10.0.0.1", "TESTS=1"})
	if err != nil || !slices.Equal(v.Strays, []string{"TEST_NUMBRE"}) {
		t.Errorf("%v, %q", err, v.Strays)
	}
	if _, v, err := parse([]string{"other"}); err != nil || v != nil {
		t.Errorf("another command: %v, %v", v, err)
	}
}

// TestTake: what has the tag live changes, the rest is told only.
func TestTake(t *testing.T) {
	l, v, err := parse([]string{"run"})
	if err != nil {
		t.Fatal(err)
	}
	_, next, err := load(t, "number = 7\non = true\ntext = \"other\"\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Change{{"text", "t", "other", false}, {"number", "1", "7", true}, {"on", "false", "true", true}}
	if got := v.Take(next); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if l.Run.Number != 7 || !l.Run.On || l.Run.Text != "t" {
		t.Errorf("%+v", l.Run)
	}
	if again := v.Take(next); len(again) != 1 {
		t.Errorf("again: %v", again)
	}
}

// FuzzSettings: whatever the file, a variable and a flag say, it is taken or refused
// in lines that can be printed; what is taken comes from the highest source that says
// it, and reads, printed, as the same.
func FuzzSettings(f *testing.F) {
	f.Add([]byte("number = 0x1_0\n"), "1e3", "99999999999999999999")
	f.Add([]byte("\ufeffnumber = 1\r\nlist = ['a', \"b\\u002cc\",]\n"), "", "-0")
	f.Add([]byte("time = '1h2m3.5s'\nkind = \"b\"\nshare = 1e-3\n"), "+7", "007")
	f.Add([]byte("[run]\nnumber = 1\na.b = 1\n"), "\x00", "١")
	path := filepath.Join(f.TempDir(), "settings.toml")
	f.Fuzz(func(t *testing.T, data []byte, env, flag string) {
		read := func(data []byte, args ...string) (*Values, []error) {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, v, err := parse(append([]string{"run", "--config", path}, args...))
			if err != nil {
				return v, []error{err}
			}
			return v, v.Errors()
		}
		if strings.ContainsRune(env, 0) {
			env = ""
		}
		os.Setenv("TEST_NUMBER", env)
		defer os.Unsetenv("TEST_NUMBER")
		var args []string
		if flag != "" {
			args = []string{"--number=" + flag}
		}
		v, mistakes := read(data, args...)
		if v == nil {
			return
		}
		for _, m := range mistakes {
			if strings.ContainsFunc(m.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("not a line to print: %q", m)
			}
		}
		if len(mistakes) > 0 {
			return
		}
		switch origin := v.byKey["number"].origin.Kind; {
		case flag != "" && origin != Flag, flag == "" && env != "" && origin != Environment, flag == "" && env == "" && origin > File:
			t.Errorf("the number is of %v", v.byKey["number"].origin)
		}
		var printed strings.Builder
		if err := v.WriteTOML(&printed); err != nil {
			t.Fatal(err)
		}
		os.Unsetenv("TEST_NUMBER")
		again, mistakes := read([]byte(printed.String()))
		if len(mistakes) > 0 {
			t.Fatalf("%v in what was printed:\n%s", mistakes, printed.String())
		}
		for _, s := range v.settings {
			if !reflect.DeepEqual(plain(s.flag.Target), plain(again.byKey[s.flag.Name].flag.Target)) {
				t.Errorf("%s is different in what was printed:\n%s", s.flag.Name, printed.String())
			}
		}
	})
}
