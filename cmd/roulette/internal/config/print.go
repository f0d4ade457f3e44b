package config

import (
	"bufio"
	"encoding"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/pelletier/go-toml/v2"
)

// WriteTOML writes all settings as a file that says the same, with where each
// value comes from.
func (v *Values) WriteTOML(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, s := range v.settings {
		fmt.Fprintf(b, "%s # %v\n", Line(s.flag), s.origin)
	}
	return b.Flush()
}

// Line is how the present value of a setting stands in the file.
func Line(f *kong.Flag) string { return fmt.Sprintf("%s = %s", f.Name, text(f)) }

// text is a setting's value in TOML.
func text(f *kong.Flag) string {
	b, err := toml.Marshal(map[string]any{"k": plain(f.Target)})
	if err != nil {
		panic(fmt.Sprintf("config: %s: %v", f.Name, err)) // plain makes nothing that has no TOML
	}
	return string(b[len("k = ") : len(b)-1])
}

// forLog is a setting's value without the quotes that the file wants.
func forLog(f *kong.Flag) string {
	if s, ok := plain(f.Target).(string); ok {
		return s
	}
	return text(f)
}

// plain is a value as TOML knows it.
func plain(v reflect.Value) any {
	if v.Kind() == reflect.Slice {
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plain(v.Index(i))
		}
		return list
	}
	switch x := v.Interface().(type) {
	case slog.Level:
		return strings.ToLower(x.String())
	case encoding.TextMarshaler:
		b, err := x.MarshalText()
		if err != nil {
			panic(fmt.Sprintf("config: %T has no text: %v", x, err))
		}
		return string(b)
	case time.Duration:
		return x.String()
	}
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool()
	case reflect.Float32, reflect.Float64:
		return v.Float()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return v.Uint()
	}
	return v.String()
}
