package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"path"
	"sync"
)

//go:embed static
var static embed.FS

const (
	indexFile    = "index.html"
	notFoundFile = "404.html"
)

// contentTypes holds every kind of file there is in static. It is spelled out
// because the table of package mime depends on the machine.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml; charset=utf-8",
	".json": "application/json",
	".png":  "image/png",
	".ico":  "image/x-icon",
	".txt":  "text/plain; charset=utf-8",

	".webmanifest": "application/manifest+json",
}

// A body is one encoding of a file.
type body struct {
	bytes []byte
	etag  string // strong, with its quotes; differs between encodings (RFC 9110, 8.8.3.3)
}

// An asset is one file of static, ready to be sent. It is immutable.
type asset struct {
	contentType string
	plain       body
	gzip        *body    // nil where compression does not pay
	scripts     []string // hashes of the inline scripts of a document
	styles      []string // and of its inline styles
	language    string   // of a document that there is in several; else empty
}

// A site is all of static: the assets by URL path, and what stands in for a path
// that is none of them.
type site struct {
	assets   map[string]*asset
	index    map[string]*asset // the page, by language
	notFound *asset
}

// embedded is the site in this binary, made when it is first asked for.
var embedded = sync.OnceValue(func() site { return embeddedBelow("/", Filter{}) })

// embeddedBelow is the site in this binary, for a server that has it below base, and
// the words that filter blurs.
func embeddedBelow(base string, filter Filter) site {
	root, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // "static" is a valid path
	}
	if base != "/" || filter.entries != nil {
		root = based{root, base, filter}
	}
	s, err := loadSite(root)
	if err != nil {
		panic(err) // what is embedded was there, and complete, at build time
	}
	return s
}

// loadSite reads every file of files. The index is found under "/" and under its
// own name, in every language of words.
func loadSite(files fs.FS) (site, error) {
	s := site{assets: make(map[string]*asset)}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Dir(name) == "words" || name == indexFile {
			return err
		}
		a, err := loadAsset(files, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if name == notFoundFile {
			s.notFound = a
			return nil
		}
		s.assets["/"+name] = a
		return nil
	})
	if err != nil {
		return site{}, fmt.Errorf("web: load: %w", err)
	}
	if s.notFound == nil {
		return site{}, fmt.Errorf("web: load: %s is missing", notFoundFile)
	}
	if err := s.loadIndex(files); err != nil {
		return site{}, fmt.Errorf("web: load: %s: %w", indexFile, err)
	}
	return s, nil
}

// loadIndex reads the page, and the words that it needs.
func (s *site) loadIndex(files fs.FS) error {
	d, err := inline(files, indexFile)
	if err != nil {
		return err
	}
	words, err := loadWords(files)
	if err != nil {
		return err
	}
	return s.translate(d, words)
}

// find returns the asset for a path, in the language that the header lines of
// Accept-Language ask for; nil where there is none.
func (s *site) find(path string, acceptLanguage []string) *asset {
	if path != "/" && path != "/"+indexFile && path != "" { // "GET http://host HTTP/1.1": RFC 9110, 4.2.3
		return s.assets[path]
	}
	return s.index[prefer(acceptLanguage, func(language string) bool { return s.index[language] != nil })]
}

// loadAsset reads the file name; HTML comes with its parts inside.
func loadAsset(files fs.FS, name string) (*asset, error) {
	if path.Ext(name) != ".html" {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		return newAsset(name, content)
	}
	d, err := inline(files, name)
	if err != nil {
		return nil, err
	}
	a, err := newAsset(name, d.html)
	if err != nil {
		return nil, err
	}
	a.scripts, a.styles = d.scripts, d.styles
	return a, nil
}

func newAsset(name string, content []byte) (*asset, error) {
	contentType := contentTypes[path.Ext(name)]
	if contentType == "" {
		return nil, fmt.Errorf("no content type for %q", path.Ext(name))
	}
	sum := sha256.Sum256(content)
	hash := base64.RawURLEncoding.EncodeToString(sum[:12])
	a := &asset{
		contentType: contentType,
		plain:       body{bytes: content, etag: `"` + hash + `"`},
	}
	packed, err := compress(content)
	if err != nil {
		return nil, err
	}
	if pays(len(content), len(packed)) {
		a.gzip = &body{bytes: packed, etag: `"` + hash + `-gzip"`}
	}
	return a, nil
}

// pays says whether to send packed bytes instead of plain ones: the reader's
// work, and a header line more, want at least an eighth in return.
func pays(plain, packed int) bool {
	return packed+64 < plain-plain/8
}

func compress(content []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
