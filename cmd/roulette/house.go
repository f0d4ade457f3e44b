package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"roulette/web"
)

// house is what the operator says to people.
func (c *serveFlags) house() (h web.House, err error) {
	for _, text := range []struct {
		key, path string
		in        *web.Texts
	}{{"entry", c.Entry, &h.Entry}, {"terms", c.Terms, &h.Terms}, {"privacy", c.Privacy, &h.Privacy}} {
		if *text.in, err = readTexts(text.path); err != nil {
			return h, fmt.Errorf("--%s: %w", text.key, err)
		}
	}
	h.Age = c.EntryAge
	return h, nil
}

// wordFilter is the words of all files of --word-filter.
func (c *serveFlags) wordFilter() (f web.Filter, err error) {
	for _, path := range c.WordFilter {
		content, err := os.ReadFile(path)
		if err != nil {
			return f, err
		}
		if f, err = f.With(content); err != nil {
			return f, fmt.Errorf("%s %w", path, err)
		}
	}
	return f, nil
}

// readTexts reads the file at path, and those beside it that are the same in another
// language: rules.de.txt beside rules.txt. "" is no text.
func readTexts(path string) (web.Texts, error) {
	if path == "" {
		return nil, nil
	}
	extension := filepath.Ext(path)
	stem := strings.TrimSuffix(path, extension)
	files := map[string]string{"": path}
	others, err := filepath.Glob(escapeGlob(stem) + ".[a-z][a-z]" + escapeGlob(extension))
	if err != nil {
		return nil, err
	}
	for _, other := range others {
		files[strings.TrimSuffix(strings.TrimPrefix(other, stem+"."), extension)] = other
	}
	texts := make(web.Texts, len(files))
	for language, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if texts[language], err = web.ParseText(content); err != nil {
			return nil, fmt.Errorf("%s %w", file, err)
		}
	}
	return texts, nil
}

// escapeGlob is text as a pattern of [filepath.Glob] that means just that.
func escapeGlob(text string) string {
	return strings.NewReplacer(`\\`, `\\\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(text)
}
