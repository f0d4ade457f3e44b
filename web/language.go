package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// fallback is the language whose words stand in for those that another one lacks.
const fallback = "en"

// wordsLine is where a document gets the words of the reader's language.
const wordsLine = `<script id="words" type="application/json" lang="en"></script>` + "\n"

// loadWords reads words/*.json: by language, what the page says in it.
func loadWords(files fs.FS) (map[string]map[string]any, error) {
	names, err := fs.Glob(files, "words/*.json")
	if err != nil {
		return nil, err
	}
	words := make(map[string]map[string]any, len(names))
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		var table map[string]any
		if err := json.Unmarshal(content, &table); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		words[strings.TrimSuffix(path.Base(name), ".json")] = table
	}
	for _, table := range words {
		complete(table, words[fallback])
	}
	return words, nil
}

// complete puts into table what only other has, in all groups.
func complete(table, other map[string]any) {
	for key, value := range other {
		mine, has := table[key]
		if !has {
			table[key] = value
			continue
		}
		group, isGroup := mine.(map[string]any)
		if others, are := value.(map[string]any); isGroup && are && group["other"] == nil {
			complete(group, others)
		}
	}
}

// translate makes an asset of the document d for each language, with its words in it,
// and one of the words alone, for a reader who changes the language.
func (s *site) translate(d document, words map[string]map[string]any) error {
	s.index = make(map[string]*asset, len(words))
	for language, table := range words {
		content, err := json.Marshal(table) // escapes <, so that it cannot end the element
		if err != nil {
			return err
		}
		element := fmt.Sprintf("<script id=\"words\" type=\"application/json\" lang=%q>%s</script>\n", language, content)
		page, err := newAsset(indexFile, bytes.Replace(d.html, []byte(wordsLine), []byte(element), 1))
		if err != nil {
			return err
		}
		page.scripts, page.styles, page.language = d.scripts, d.styles, language
		s.index[language] = page
		if s.assets["/words/"+language+".json"], err = newAsset(language+".json", content); err != nil {
			return err
		}
	}
	if s.index[fallback] == nil {
		return fmt.Errorf("no words in %q", fallback)
	}
	return nil
}

// directionOf is the direction that a language of the page is written in, as dir names it.
func directionOf(language string) string {
	if language == "ar" {
		return "rtl"
	}
	return "ltr"
}

// prefer returns the one of known that the Accept-Language header lines ask for most,
// by the first part of its tags (RFC 4647, 3.4); fallback where they ask for none.
func prefer(lines []string, known func(language string) bool) string {
	return preferOf(lines, fallback, known)
}

// preferOf is prefer with another language where they ask for none.
func preferOf(lines []string, otherwise string, known func(language string) bool) string {
	weights := make(map[string]int)
	order := []string{}
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			tag, parameters, _ := strings.Cut(item, ";")
			language, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
			if !known(language) {
				continue
			}
			if _, seen := weights[language]; !seen {
				order = append(order, language)
			}
			weights[language] = max(weights[language], weight(parameters))
		}
	}
	slices.SortStableFunc(order, func(a, b string) int { return weights[b] - weights[a] })
	if len(order) == 0 || weights[order[0]] == 0 {
		return otherwise
	}
	return order[0]
}
