package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// A document is an HTML file with the styles and scripts that it names inside it: it
// comes as a whole or not at all.
type document struct {
	html    []byte
	scripts []string // hashes of its inline scripts, as a policy names them
	styles  []string // and of its inline styles
}

// How a document names its parts. Each has a line of its own.
var (
	styleLine   = regexp.MustCompile(`(?m)^<link rel="stylesheet" href="/([\w.]+)">\n`)
	scriptLine  = regexp.MustCompile(`(?m)^<script src="/([\w.]+)"></script>\n`)
	moduleLine  = regexp.MustCompile(`(?m)^<script type="module" src="/([\w.]+)"></script>\n`)
	preloadLine = regexp.MustCompile(`(?m)^<link rel="modulepreload" href="/[\w.]+">\n`)
)

// inline returns the document that the HTML file name becomes with all its parts in
// it. The styles become one, in their order.
func inline(files fs.FS, name string) (document, error) {
	html, err := fs.ReadFile(files, name)
	if err != nil {
		return document{}, err
	}
	var d document
	text := preloadLine.ReplaceAllString(string(html), "")
	var style strings.Builder
	text, err = replaceParts(text, styleLine, func(part string) (string, error) {
		content, err := fs.ReadFile(files, part)
		if style.Len() == 0 {
			style.WriteByte('\n')
		}
		style.Write(stripStyle(content))
		return "", err
	})
	if err != nil {
		return document{}, err
	}
	if style.Len() > 0 {
		element, err := d.element("style", "", style.String())
		if err != nil {
			return document{}, err
		}
		text = strings.Replace(text, "</head>", element+"</head>", 1)
	}
	text, err = replaceParts(text, scriptLine, func(part string) (string, error) {
		content, err := fs.ReadFile(files, part)
		if err != nil {
			return "", err
		}
		return d.element("script", "", "\n"+stripScript(string(content)))
	})
	if err != nil {
		return document{}, err
	}
	text, err = replaceParts(text, moduleLine, func(part string) (string, error) {
		script, err := bundle(files, part)
		if err != nil {
			return "", err
		}
		return d.element("script", ` type="module"`, "\n"+script)
	})
	d.html = []byte(text)
	return d, err
}

// replaceParts replaces each line that names a part by what content makes of it.
func replaceParts(text string, line *regexp.Regexp, content func(part string) (string, error)) (string, error) {
	var first error
	text = line.ReplaceAllStringFunc(text, func(found string) string {
		replacement, err := content(line.FindStringSubmatch(found)[1])
		if err != nil && first == nil {
			first = err
		}
		return replacement
	})
	return text, first
}

// element is the element name around content, which the policy of d then allows.
func (d *document) element(name, attributes, content string) (string, error) {
	// HTML has no way to escape these inside of a script or style.
	for _, end := range []string{"</" + name, "<!--"} {
		if strings.Contains(strings.ToLower(content), end) {
			return "", fmt.Errorf("%q inside of a %s", end, name)
		}
	}
	hash := sourceHash(content)
	if name == "style" {
		d.styles = append(d.styles, hash)
	} else {
		d.scripts = append(d.scripts, hash)
	}
	return "<" + name + attributes + ">" + content + "</" + name + ">\n", nil
}

// sourceHash is content as a source of a Content-Security-Policy.
func sourceHash(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Forms of import and export that a module may have. Whatever else begins a line with import or export is refused when the site is loaded.
var (
	importLine  = regexp.MustCompile(`(?m)^import \{([^}]*)\} from '\./([\w.]+)';\n`)
	exportWord  = regexp.MustCompile(`(?m)^export ((?:const|class|function|async function) ([\w$]+))`)
	moduleWord  = regexp.MustCompile(`(?m)^(?:import|export)\b.*`)
	renamed     = regexp.MustCompile(`\b([\w$]+) as ([\w$]+)\b`)
	lineComment = regexp.MustCompile(`(?m)^[ \t]*//.*\n`)
	docComment  = regexp.MustCompile(`(?m)^[ \t]*/\*\*(?:[^*]|\*+[^*/])*\*+/[ \t]*\n`)
	blankLines  = regexp.MustCompile(`\n{2,}`)
	comment     = regexp.MustCompile(`/\*(?:[^*]|\*+[^*/])*\*+/`)
	indentation = regexp.MustCompile(`(?m)^[ \t]+`)
)

// A bundler puts modules in the order in which a browser would run them. Every
// module becomes a function that runs once and returns what it exports, so that each
// keeps its names to itself.
type bundler struct {
	files fs.FS
	out   bytes.Buffer
	done  map[string]bool // modules in out; false: on the way there
}

// bundle is the module name and all that it imports as one script. When the script
// has come to its end, the document says so by the attribute data-ready of its root.
func bundle(files fs.FS, name string) (string, error) {
	b := bundler{files: files, done: make(map[string]bool)}
	if err := b.add(name); err != nil {
		return "", err
	}
	b.out.WriteString("document.documentElement.dataset.ready = '';\n")
	return b.out.String(), nil
}

func (b *bundler) add(name string) error {
	if done, met := b.done[name]; done {
		return nil
	} else if met {
		return fmt.Errorf("%s imports itself", name)
	}
	b.done[name] = false
	source, err := fs.ReadFile(b.files, name)
	if err != nil {
		return err
	}
	text := string(source)
	for _, found := range importLine.FindAllStringSubmatch(text, -1) {
		if err := b.add(found[2]); err != nil {
			return err
		}
	}
	text = importLine.ReplaceAllStringFunc(text, func(line string) string {
		found := importLine.FindStringSubmatch(line)
		names := renamed.ReplaceAllString(found[1], "$1: $2")
		return "const {" + names + "} = " + moduleName(found[2]) + ";\n"
	})
	var exports []string
	for _, found := range exportWord.FindAllStringSubmatch(text, -1) {
		exports = append(exports, found[2])
	}
	text = exportWord.ReplaceAllString(text, "$1")
	if left := moduleWord.FindString(text); left != "" {
		return fmt.Errorf("%s: %q is not a form of import or export that is bundled", name, left)
	}
	fmt.Fprintf(&b.out, "const %s = (() => {\n%sreturn { %s };\n})();\n", moduleName(name), stripScript(text), strings.Join(exports, ", "))
	b.done[name] = true
	return nil
}

// moduleName is the name under which others find what the module file exports.
func moduleName(file string) string {
	return "$" + strings.NewReplacer(".js", "", ".", "_").Replace(file)
}

// stripScript takes the comments that have lines of their own out of a script, and
// leaves the rest alone. (A test holds the result against what a compiler reads.)
func stripScript(text string) string {
	text = docComment.ReplaceAllString(text, "")
	text = lineComment.ReplaceAllString(text, "")
	return blankLines.ReplaceAllString(text, "\n")
}

// stripStyle takes comments and indentation out of a style sheet.
func stripStyle(content []byte) []byte {
	content = comment.ReplaceAll(content, nil)
	content = indentation.ReplaceAll(content, nil)
	return blankLines.ReplaceAll(content, []byte("\n"))
}
