package web

import (
	"encoding/json"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPrefer(t *testing.T) {
	known := func(language string) bool { return slices.Contains([]string{"de", "en", "fr", "zh"}, language) }
	for _, test := range []struct {
		description string
		lines       []string
		want        string
	}{
		{"no header", nil, "en"},
		{"an empty one", []string{""}, "en"},
		{"one that is known", []string{"fr"}, "fr"},
		{"with a country", []string{"de-AT"}, "de"},
		{"with a script, in capitals", []string{"ZH-Hant-TW"}, "zh"},
		{"by weight", []string{"fr;q=0.5, de;q=0.8, xx"}, "de"},
		{"by order", []string{"fr, de"}, "fr"},
		{"two lines", []string{"xx", "de;q=0.1"}, "de"},
		{"what is not wanted", []string{"de;q=0"}, "en"},
		{"anything", []string{"*"}, "en"},
		{"nonsense", []string{";;,=,-,de-;q=x"}, "en"},
	} {
		if got := prefer(test.lines, known); got != test.want {
			t.Errorf("%s: %q: %s, want %s", test.description, test.lines, got, test.want)
		}
	}
}

func TestWordsThatAreMissingAreEnglish(t *testing.T) {
	table := map[string]any{"a": "eins", "group": map[string]any{"b": "zwei"}, "plural": map[string]any{"other": "viele"}}
	complete(table, map[string]any{
		"a": "one", "c": "three", "group": map[string]any{"b": "two", "d": "four"}, "plural": map[string]any{"one": "one", "other": "many"},
	})
	got, err := json.Marshal(table)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"a":"eins","c":"three","group":{"b":"zwei","d":"four"},"plural":{"other":"viele"}}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// forms holds what the plural rules of Unicode (CLDR) tell apart in each language, for
// whole numbers; without those for millions, which no chat counts.
var forms = map[string]string{
	"ar": "few many one other two zero", "de": "one other", "en": "one other", "es": "one other", "fr": "one other",
	"hi": "one other", "id": "other", "it": "one other", "ja": "other", "ko": "other", "pl": "few many one other", "pt": "one other",
	"ru": "few many one other", "tr": "one other", "uk": "few many one other", "zh": "other",
}

// TestWords compares the words of each language with the English ones: the same keys,
// the same holes, none of them empty, and the plural forms of the language.
func TestWords(t *testing.T) {
	names, err := fs.Glob(static, "static/words/*.json")
	if err != nil {
		t.Fatal(err)
	}
	tables := make(map[string]map[string]any)
	for _, name := range names {
		content, err := fs.ReadFile(static, name)
		if err != nil {
			t.Fatal(err)
		}
		var table map[string]any
		if err := json.Unmarshal(content, &table); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tables[strings.TrimSuffix(path.Base(name), ".json")] = table
	}
	if languages := slices.Sorted(maps.Keys(tables)); !slices.Equal(languages, slices.Sorted(maps.Keys(forms))) {
		t.Errorf("there are words in %q", languages)
	}
	for language, table := range tables {
		compareWords(t, language, "", table, tables["en"])
	}
}

var hole = regexp.MustCompile(`\{\w+\}`)

func compareWords(t *testing.T, language, at string, got, want map[string]any) {
	t.Helper()
	if want["other"] != nil {
		if keys := strings.Join(slices.Sorted(maps.Keys(got)), " "); keys != forms[language] {
			t.Errorf("%s: %s has the plural forms %q, want %q", language, at, keys, forms[language])
		}
		for form, text := range got {
			if text, ok := text.(string); !ok || text == "" || len(hole.FindAllString(text, -1)) > 1 {
				t.Errorf("%s: %s.%s is %q", language, at, form, text)
			}
		}
		return
	}
	for key := range got {
		if want[key] == nil {
			t.Errorf("%s: %s.%s is no key of English", language, at, key)
		}
	}
	for key, value := range want {
		switch value := value.(type) {
		case map[string]any:
			group, _ := got[key].(map[string]any)
			if group == nil {
				t.Errorf("%s: %s.%s is missing", language, at, key)
				continue
			}
			compareWords(t, language, at+"."+key, group, value)
		case string:
			text, _ := got[key].(string)
			if text == "" {
				t.Errorf("%s: %s.%s is missing", language, at, key)
			}
			if mine, his := hole.FindAllString(text, -1), hole.FindAllString(value, -1); !slices.Equal(mine, his) || len(mine) > 1 {
				t.Errorf("%s: %s.%s has the holes %q, want %q", language, at, key, mine, his)
			}
		default:
			t.Errorf("%s.%s is %v", at, key, value)
		}
	}
}
