package config

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxFile bounds the file, in bytes.
const maxFile = 64 << 10

// fromFile reads the file, if one is named.
func (l *Loader) fromFile(v *Values) {
	if v.file == nil || v.file.wrong {
		return
	}
	path := v.file.flag.Target.String()
	if path == "" {
		return
	}
	data, err := readFile(path)
	if err != nil {
		v.Reject(fileFlag, "%w", err)
		return
	}
	l.parse(v, path, data)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is longer than %d KiB", path, maxFile>>10)
	}
	return data, err
}

// parse takes the values that stand in the file's text.
func (l *Loader) parse(v *Values, path string, data []byte) {
	first := len(v.Mistakes)
	reject := func(line int, key string, err error) {
		v.Mistakes = append(v.Mistakes, Mistake{key, Origin{File, path, line}, err})
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	if i := invalidUTF8(data); i >= 0 {
		reject(1+bytes.Count(data[:i], newline), "", errors.New("not UTF-8"))
		return
	}
	l.entries(data, func(line int, key string, value *unstable.Node, err error) {
		s := v.byKey[key]
		switch {
		case err != nil:
		case s == nil || key == fileFlag:
			err = unknown(v, key)
		default:
			var text string
			if text, err = textOf(s.flag.Value, value); err == nil {
				l.take(v, s, Origin{File, path, line}, text)
			}
			s.wrong = s.wrong || err != nil && s.origin.Kind <= File
		}
		if err != nil {
			reject(line, key, err)
		}
	})
	// Entries above were looked at one by one. This finds text behind them that is
	// no TOML, and forms that no value of ours has.
	var all map[string]any
	var wrong *toml.DecodeError
	if err := toml.Unmarshal(data, &all); errors.As(err, &wrong) {
		line, _ := wrong.Position()
		for _, m := range v.Mistakes[first:] {
			if m.Origin.Line == line {
				return
			}
		}
		reject(line, "", errors.New(strings.TrimPrefix(wrong.Error(), "toml: ")))
	} else if err != nil {
		reject(1, "", err)
	}
}

var newline = []byte("\n")

// byteOrderMark is what some editors write before UTF-8. It says nothing.
var byteOrderMark = []byte("\ufeff")

// entries calls found for every key of the file, with the node of its value or
// what is wrong about it, up to what is no TOML.
func (l *Loader) entries(data []byte, found func(line int, key string, value *unstable.Node, err error)) {
	p := unstable.Parser{}
	p.Reset(data)
	seen := make(map[string]int)
	at, line := 0, 1
	for p.NextExpression() {
		e := p.Expression()
		if e.Kind == unstable.Comment {
			continue
		}
		var parts []string
		for it := e.Key(); it.Next(); {
			if n := it.Node(); len(parts) == 0 && int(n.Raw.Offset) >= at {
				line += bytes.Count(data[at:n.Raw.Offset], newline)
				at = int(n.Raw.Offset)
			}
			parts = append(parts, string(it.Node().Data))
		}
		key := strings.Join(parts, ".")
		before, twice := seen[key]
		switch {
		case e.Kind != unstable.KeyValue:
			found(line, key, nil, errors.New("there are no tables here"))
			return // what follows is in it
		case twice:
			found(line, key, nil, fmt.Errorf("stands in line %d already", before))
		default:
			seen[key] = line
			found(line, key, e.Value(), nil)
		}
	}
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

func unknown(v *Values, key string) error {
	if meant := strings.ReplaceAll(strings.ToLower(key), "_", "-"); meant != key && v.byKey[meant] != nil && meant != fileFlag {
		return fmt.Errorf("unknown key; %s is one", meant)
	}
	return errors.New("unknown key")
}

var (
	duration  = reflect.TypeFor[time.Duration]()
	unmarshal = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// textOf is the value of a node as a flag would have it, if that is of a type
// that v takes.
func textOf(v *kong.Value, node *unstable.Node) (string, error) {
	t := v.Target.Type()
	if !v.IsSlice() {
		return scalar(t, node)
	}
	if node.Kind != unstable.Array {
		return "", errors.New(`wants a list, such as ["…", "…"]`)
	}
	var list []string
	for it := node.Children(); it.Next(); {
		if it.Node().Kind == unstable.Comment {
			continue
		}
		text, err := scalar(t.Elem(), it.Node())
		if err != nil {
			return "", err
		}
		if text == "" {
			return "", errors.New("an entry is empty")
		}
		list = append(list, text)
	}
	return kong.JoinEscaped(list, v.Tag.Sep), nil
}

func scalar(t reflect.Type, node *unstable.Node) (string, error) {
	text := string(node.Data)
	own := reflect.PointerTo(t).Implements(unmarshal)
	switch kind := t.Kind(); {
	case t == duration:
		if node.Kind != unstable.String {
			return "", errors.New(`wants a time with its unit, such as "25s"`)
		}
	case kind == reflect.Bool:
		if node.Kind != unstable.Bool {
			return "", errors.New("wants true or false")
		}
	case !own && (kind == reflect.Float32 || kind == reflect.Float64):
		if node.Kind != unstable.Float && node.Kind != unstable.Integer {
			return "", errors.New("wants a number")
		}
		text = strings.ReplaceAll(text, "_", "")
	case node.Kind == unstable.Integer && reflect.Int <= kind && kind <= reflect.Uint64: // a size may be one
		n, err := strconv.ParseInt(text, 0, 64)
		if err != nil {
			return "", fmt.Errorf("%s is not a number of 64 bits", text)
		}
		text = strconv.FormatInt(n, 10)
	case !own && reflect.Int <= kind && kind <= reflect.Uint64:
		return "", errors.New("wants a whole number")
	default:
		if node.Kind != unstable.String {
			return "", errors.New("wants a string")
		}
	}
	return text, nil
}
