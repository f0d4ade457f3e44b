package web

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	esbuild "github.com/evanw/esbuild/pkg/api"
)

func TestBundle(t *testing.T) {
	files := fstest.MapFS{
		"a.js": {Data: []byte("// A.\nimport { one, two as second } from './b.js';\nimport { c } from './c.js';\n\nuse(one, second, c); // at once\n")},
		"b.js": {Data: []byte("import { c } from './c.js';\n\n/** One. */\nexport const one = 1 + c;\nexport function two() {}\nconst own = 3;\n")},
		"c.js": {Data: []byte("export class c {}\n")},
	}
	want := `const $c = (() => {
class c {}
return { c };
})();
const $b = (() => {
const { c } = $c;
const one = 1 + c;
function two() {}
const own = 3;
return { one, two };
})();
const $a = (() => {
const { one, two: second } = $b;
const { c } = $c;
use(one, second, c); // at once
return {  };
})();
document.documentElement.dataset.ready = '';
`
	got, err := bundle(files, "a.js")
	if err != nil || got != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
}

func TestBundleRefuses(t *testing.T) {
	for _, test := range []struct {
		description, source, want string
	}{
		{"a module that is not there", "import { a } from './nowhere.js';\n", "nowhere.js"},
		{"a circle", "import { a } from './a.js';\n", "imports itself"},
		{"a default", "export default 1;\n", "not a form"},
		{"a list of exports", "const a = 1;\nexport { a };\n", "not a form"},
		{"a name for a whole module", "import * as b from './b.js';\n", "not a form"},
		{"a module for its effects", "import './b.js';\n", "not a form"},
		{"a name that can change", "export let a = 1;\n", "not a form"},
	} {
		_, err := bundle(fstest.MapFS{"a.js": {Data: []byte(test.source)}}, "a.js")
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q in it", test.description, err, test.want)
		}
	}
}

func TestInlineRefusesWhatEndsTheElement(t *testing.T) {
	for name, content := range map[string]string{
		"a.js": "const end = '</Script>';\n", "b.js": "const comment = '<!--';\n", "a.css": "p::after { content: '</style>' }\n",
	} {
		line := `<script type="module" src="/` + name + `"></script>`
		if path.Ext(name) == ".css" {
			line = `<link rel="stylesheet" href="/` + name + `">`
		}
		_, err := inline(fstest.MapFS{name: {Data: []byte(content)}, "x.html": {Data: []byte("<head>\n" + line + "\n</head>\n")}}, "x.html")
		if err == nil || !strings.Contains(err.Error(), "inside of a") {
			t.Errorf("%s: error %v", content, err)
		}
	}
}

// TestStrippingLeavesTheProgram lets a compiler read every script and style sheet as it
// is and as it is sent: it must be the same program.
func TestStrippingLeavesTheProgram(t *testing.T) {
	read := func(name, source string) string {
		loader := esbuild.LoaderJS
		if path.Ext(name) == ".css" {
			loader = esbuild.LoaderCSS
		}
		result := esbuild.Transform(source, esbuild.TransformOptions{
			Loader: loader, MinifyWhitespace: true, LegalComments: esbuild.LegalCommentsNone,
		})
		for _, message := range result.Errors {
			t.Errorf("%s: %s", name, message.Text)
		}
		return string(result.Code)
	}
	forEach(t, []string{".js", ".css"}, func(name, source string) {
		stripped := stripScript(source)
		if path.Ext(name) == ".css" {
			stripped = string(stripStyle([]byte(source)))
		}
		if read(name, stripped) != read(name, source) {
			t.Errorf("%s: without its comments it is another program", name)
		}
	})
}

// TestOldScriptIsOld: what tells that a browser is too old is nothing that such a
// browser does not know.
func TestOldScriptIsOld(t *testing.T) {
	source, err := fs.ReadFile(static, "static/old.js")
	if err != nil {
		t.Fatal(err)
	}
	code := func(target esbuild.Target) string {
		result := esbuild.Transform(string(source), esbuild.TransformOptions{Target: target, MinifyWhitespace: true, Charset: esbuild.CharsetUTF8})
		for _, message := range result.Errors {
			t.Error(message.Text)
		}
		return string(result.Code)
	}
	if code(esbuild.ES5) != code(esbuild.ESNext) {
		t.Error("old.js says something that was not there in ES5")
	}
	young := regexp.MustCompile("`|=>|\\b(?:let|const|class|async|replaceChildren|append|dataset|classList|textContent)\\b")
	if found := young.FindString(stripScript(string(source))); found != "" {
		t.Errorf("old.js says %s", found)
	}
}

// TestOldScriptKnowsEveryLanguage of the page.
func TestOldScriptKnowsEveryLanguage(t *testing.T) {
	for _, language := range pageLanguages(t) {
		source, err := fs.ReadFile(static, "static/old.js")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(source), "\n    "+language+": ['") {
			t.Errorf("old.js has no sentences for %s", language)
		}
	}
}

// pageLanguages is the languages that the words of the page are in: the keys of the
// tables that say which title the page has.
func pageLanguages(t *testing.T) []string {
	t.Helper()
	files, err := fs.Glob(static, "static/words/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var languages []string
	for _, name := range files {
		languages = append(languages, strings.TrimSuffix(path.Base(name), ".json"))
	}
	slices.Sort(languages)
	if len(languages) < 7 || len(slices.Compact(slices.Clone(languages))) != len(languages) {
		t.Fatalf("the page has words in %q", languages)
	}
	return languages
}

// forEach calls look for every file of static that has one of the extensions.
func forEach(t *testing.T, extensions []string, look func(name, source string)) {
	t.Helper()
	err := fs.WalkDir(static, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains(extensions, path.Ext(name)) {
			return err
		}
		source, err := fs.ReadFile(static, name)
		if err == nil {
			look(name, string(source))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
