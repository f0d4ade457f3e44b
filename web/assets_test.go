package web

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestLoadSiteRefuses(t *testing.T) {
	page := &fstest.MapFile{Data: []byte("<!doctype html>")}
	words := &fstest.MapFile{Data: []byte("{}")}
	for _, test := range []struct {
		description string
		files       fstest.MapFS
		want        string
	}{
		{"no index", fstest.MapFS{"404.html": page, "words/en.json": words}, "index.html"},
		{"no words", fstest.MapFS{"index.html": page, "404.html": page}, "no words"},
		{"no English", fstest.MapFS{"index.html": page, "404.html": page, "words/de.json": words}, "no words"},
		{"words that are no table", fstest.MapFS{"index.html": page, "404.html": page, "words/en.json": page}, "en.json"},
		{"no page for other paths", fstest.MapFS{"index.html": page}, "missing"},
		{
			"a file of unknown type",
			fstest.MapFS{"index.html": page, "404.html": page, "notes.doc": page},
			`notes.doc: no content type for ".doc"`,
		},
	} {
		if _, err := loadSite(test.files); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q in it", test.description, err, test.want)
		}
	}
}

func TestCompressionThatDoesNotPay(t *testing.T) {
	small, err := newAsset("small.css", []byte("p { margin: 0 }"))
	if err != nil {
		t.Fatal(err)
	}
	if small.gzip != nil {
		t.Error("15 bytes were compressed")
	}
	large, err := newAsset("large.css", []byte(strings.Repeat("p { margin: 0 }\n", 100)))
	if err != nil {
		t.Fatal(err)
	}
	if large.gzip == nil {
		t.Error("1600 bytes that repeat were not compressed")
	}
}
