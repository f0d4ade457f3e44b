package web

import (
	"strings"
	"testing"
)

func TestAcceptsGzip(t *testing.T) {
	for _, test := range []struct {
		description string
		lines       []string
		want        bool
	}{
		{"no header", nil, false},
		{"an empty header", []string{""}, false},
		{"what browsers send", []string{"gzip, deflate, br, zstd"}, true},
		{"another case", []string{"GZip"}, true},
		{"the old name", []string{"x-gzip"}, true},
		{"other codings only", []string{"br, deflate"}, false},
		{"a longer name", []string{"gzipped, notgzip"}, false},
		{"refused", []string{"gzip;q=0"}, false},
		{"refused at length", []string{"gzip; q=0.000, *"}, false},
		{"hardly wanted", []string{"gzip;q=0.001"}, true},
		{"spaces everywhere", []string{" gzip ; q = 0.5 ,\tbr "}, true},
		{"a capital Q", []string{"gzip;Q=0"}, false},
		{"anything", []string{"*"}, true},
		{"anything with a weight", []string{"*;q=0.1"}, true},
		{"nothing else", []string{"identity, *;q=0"}, false},
		{"gzip alone of all", []string{"gzip;q=0.2, *;q=0"}, true},
		{"plain preferred", []string{"identity;q=1, gzip;q=0.5"}, false},
		{"gzip preferred", []string{"identity;q=0.5, gzip;q=1"}, true},
		{"both alike", []string{"identity, gzip"}, true},
		{"plain refused", []string{"identity;q=0, gzip;q=0.5"}, true},
		{"two lines", []string{"br", "gzip"}, true},
		{"a weight that is none", []string{"gzip;q=yes"}, false},
		{"a weight above one", []string{"gzip;q=2"}, false},
		{"a negative weight", []string{"gzip;q=-1"}, false},
		{"an exponent", []string{"gzip;q=1e0"}, false},
		{"no value", []string{"gzip;q="}, false},
		{"another parameter", []string{"gzip;level=9"}, false},
		{"too many digits", []string{"gzip;q=0.00000001"}, false},
	} {
		if got := acceptsGzip(test.lines); got != test.want {
			t.Errorf("%s: %q: %t", test.description, test.lines, got)
		}
	}
}

func FuzzAcceptsGzip(f *testing.F) {
	f.Add("gzip;q=0.5, *;q=0")
	f.Add("identity;q=1.000,x-gzip;q=.")
	f.Fuzz(func(t *testing.T, line string) {
		got := acceptsGzip([]string{line})
		lower := strings.ToLower(line)
		if got && !strings.Contains(lower, "gzip") && !strings.Contains(line, "*") {
			t.Errorf("%q asks for no gzip", line)
		}
		if got != acceptsGzip(strings.Split(line, ",")) {
			t.Errorf("%q: several lines differ from one", line)
		}
	})
}
