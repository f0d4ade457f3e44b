package web

import (
	"bytes"
	"io/fs"
	"path"
)

// based is the files of a site that lies below a path, base, which begins and ends with
// a slash: its documents name it, for their scripts, and link to what is below it. The
// page has the words of filter, too.
type based struct {
	fs.FS
	base   string
	filter Filter
}

// ReadFile implements [fs.ReadFileFS].
func (b based) ReadFile(name string) ([]byte, error) {
	content, err := fs.ReadFile(b.FS, name)
	if err != nil || path.Ext(name) != ".html" {
		return content, err
	}
	if name == indexFile {
		content = bytes.Replace(content, []byte(wordsLine), []byte(b.filter.element()+wordsLine), 1)
	}
	if b.base == "/" {
		return content, nil
	}
	for _, r := range [][2]string{
		{` data-state="`, ` data-base="` + b.base + `" data-state="`},
		{`<link rel="icon" href="/`, `<link rel="icon" href="` + b.base},
		{`<link rel="apple-touch-icon" href="/`, `<link rel="apple-touch-icon" href="` + b.base},
		{`<link rel="manifest" href="/`, `<link rel="manifest" href="` + b.base},
		{`<a class="button" href="/`, `<a class="button" href="` + b.base},
	} {
		content = bytes.Replace(content, []byte(r[0]), []byte(r[1]), 1)
	}
	return content, nil
}
