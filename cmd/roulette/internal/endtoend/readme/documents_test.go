package readme

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
)

// document is the text of a file, by its path from the root.
func document(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(program.File(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// git asks git in the repository's root.
func git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = program.File(t, ".")
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("skipped: no git repository: %v", err)
	}
	return string(out)
}

// documents are the paths of all pages in Markdown.
func documents(t *testing.T) (paths []string) {
	t.Helper()
	for path := range strings.Lines(git(t, "ls-files", "--", "*.md")) {
		paths = append(paths, strings.TrimSpace(path))
	}
	if len(paths) < 10 {
		t.Fatalf("only %q", paths)
	}
	return paths
}

// anchors are those of the headings, as GitHub makes them.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	code := regexp.MustCompile("(?ms)^```.*?^```")
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
		anchor := strings.ToLower(strings.ReplaceAll(m[1], " ", "-"))
		all[regexp.MustCompile(`[^\w-]`).ReplaceAllString(anchor, "")] = true
	}
	return all
}

// TestDocumentLinks: the files and the headings that the documents and the alerts
// point to exist.
func TestDocumentLinks(t *testing.T) {
	check := func(from, folder, target string) {
		path, anchor, _ := strings.Cut(target, "#")
		if path = filepath.Join(folder, path); strings.HasSuffix(target, "#"+anchor) && strings.HasPrefix(target, "#") {
			path = from
		}
		if _, err := os.Stat(program.File(t, path)); err != nil {
			t.Errorf("%s: %v", from, err)
		} else if anchor != "" && !anchors(document(t, path))[anchor] {
			t.Errorf("%s: there is no heading for %s", from, target)
		}
	}
	links := 0
	for _, path := range documents(t) {
		for _, m := range regexp.MustCompile(`\]\(([^)\s]*)\)`).FindAllStringSubmatch(document(t, path), -1) {
			if !strings.Contains(m[1], ":") {
				check(path, filepath.Dir(path), m[1])
				links++
			}
		}
	}
	if links < 50 {
		t.Errorf("only %d links", links)
	}
	const alerts = "metrics/prometheus/alerts.yml"
	for _, m := range regexp.MustCompile(`runbook_url: (\S+)`).FindAllStringSubmatch(document(t, alerts), -1) {
		check(alerts, ".", m[1])
	}
}

// TestDocumentNames: the tests that the documents name exist.
func TestDocumentNames(t *testing.T) {
	tests := git(t, "grep", "-hoE", `^func (Test|Fuzz)\w+`, "--", "*_test.go")
	names := 0
	for _, path := range documents(t) {
		for _, m := range regexp.MustCompile("`((?:Test|Fuzz)\\w+)(…?)`").FindAllStringSubmatch(document(t, path), -1) {
			names++
			if end := map[bool]string{true: "", false: "\n"}[m[2] != ""]; !strings.Contains(tests, "func "+m[1]+end) {
				t.Errorf("%s: there is no %s", path, m[1])
			}
		}
	}
	if names < 30 {
		t.Errorf("only %d tests are named", names)
	}
}

// TestReadmeIsShort: what does not fit has a page of its own.
func TestReadmeIsShort(t *testing.T) {
	if n := strings.Count(document(t, "README.md"), "\n"); n > 200 {
		t.Errorf("%d lines", n)
	}
}
