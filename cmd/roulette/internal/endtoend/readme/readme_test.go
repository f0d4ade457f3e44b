package readme

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/frame/record"
	"roulette/web/browsertest"
)

// example is the README's only code block in a language that has this in it,
// with the address of a server under test.
func example(t *testing.T, language, part, addr string) string {
	t.Helper()
	readme, err := os.ReadFile(program.File(t, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```" + language + "\n(.*?)```")
	for _, m := range block.FindAllStringSubmatch(string(readme), -1) {
		if strings.Contains(m[1], part) {
			return strings.ReplaceAll(m[1], "localhost:8080", addr)
		}
	}
	t.Fatalf("the README has no example in %s with %q", language, part)
	return ""
}

func TestReadmeGo(t *testing.T) {
	p := program.Serve(t)
	stranger := servertest.Dial(t, p.Addr, "/ws")
	file := filepath.Join(t.TempDir(), "example.go")
	if err := os.WriteFile(file, []byte(example(t, "go", "package main", p.Addr)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*servertest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "run", file)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stranger.Expect(servertest.OpText, "Hello from Go")
	stranger.Write(servertest.Encode(servertest.Fin|servertest.OpText, "Hello from a test"))
	if err := cmd.Wait(); err != nil || out.String() != "Stranger: Hello from a test\n" {
		t.Errorf("%v, it said %q", err, out.String())
	}
}

func TestReadmeJavaScript(t *testing.T) {
	p := program.Serve(t)
	script := example(t, "js", "new WebSocket", p.Addr)
	tab := browsertest.Start(t)
	stranger := servertest.Dial(t, p.Addr, "/ws")
	browsertest.Do(t, tab,
		// A page of the server's that has no script of its own: of the same
		// origin, under the same policy.
		chromedp.Navigate("http://"+p.Addr+"/no-such-page"),
		chromedp.Evaluate[chromedp.Void](`
			console.log = (...words) => { document.title = words.join(" "); };
			`+script+`; 0`),
	)
	stranger.Expect(servertest.OpText, "Hello from JavaScript")
	stranger.Write(servertest.Encode(servertest.Fin|servertest.OpText, "Hello from a test"))
	browsertest.Do(t, tab, browsertest.Wait(`document.title === "Stranger: Hello from a test"`))
}

func TestReadmeWebsocat(t *testing.T) {
	websocat, err := exec.LookPath("websocat")
	if err != nil {
		t.Skip("skipped: no websocat here; install it to run this test")
	}
	p := program.Serve(t)
	lines := strings.Split(strings.TrimSpace(example(t, "sh", "websocat", p.Addr)), "\n")
	for _, line := range lines {
		stranger := servertest.Dial(t, p.Addr, "/ws")
		ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
		cmd := exec.CommandContext(ctx, "sh", "-c", strings.Replace(line, "websocat ", websocat+" ", 1))
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out servertest.Buffer
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		servertest.Await(t, "a pair", func() bool { return p.Metric(t, "roulette_pairs") == 1 })
		stranger.Write(servertest.Encode(servertest.Fin|servertest.OpText, "Hello from a test"))
		stranger.Leave()
		servertest.Await(t, "the greeting", func() bool { return strings.Contains(out.String(), "Hello from a test") })
		stdin.Close()
		cancel()
		_ = cmd.Wait() // it was killed
	}
}

// TestReadmeRecords compares the README's list of records with those that the
// package makes and understands.
func TestReadmeRecords(t *testing.T) {
	readme, err := os.ReadFile(program.File(t, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| (?:`(.*?)`)? ?\\| (?:`(.*?)`)? ?\\|$").FindAllStringSubmatch(string(readme), -1)
	events, commands := 0, 0
	for _, row := range rows {
		if row[1] != "" {
			got, err := record.ParseEvents([]byte("\x1e" + row[1]))
			if err != nil || len(got) != 1 {
				t.Errorf("%s: %v, %v", row[1], got, err)
			}
			events++
		}
		if row[2] != "" {
			record.Parse([]byte("\x1e"+row[2]), func(_ record.Command, err *record.Error) bool {
				if err != nil {
					t.Errorf("%s: %v", row[2], err)
				}
				commands++
				return true
			})
		}
	}
	if events != 8 || commands != 3 {
		t.Errorf("%d records of the server and %d of the client, want 8 and 3", events, commands)
	}
}

// TestReadmeNames: the tests, the files and the headings that the README points to
// exist.
func TestReadmeNames(t *testing.T) {
	root := program.Root(t)
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	grep := exec.Command("git", "grep", "-hoE", `^func (Test|Fuzz)\w+`, "--", "*_test.go")
	grep.Dir = root
	tests, err := grep.Output()
	if err != nil {
		t.Skipf("skipped: no git repository: %v", err)
	}
	names := regexp.MustCompile("`((?:Test|Fuzz)\\w+)(…?)`").FindAllStringSubmatch(readme, -1)
	if len(names) == 0 {
		t.Error("the README names no test")
	}
	for _, m := range names {
		if end := map[bool]string{true: "", false: "\n"}[m[2] != ""]; !strings.Contains(string(tests), "func "+m[1]+end) {
			t.Errorf("there is no %s", m[1])
		}
	}
	headings := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(readme, -1) {
		anchor := strings.ToLower(strings.ReplaceAll(m[1], " ", "-"))
		headings[regexp.MustCompile(`[^\w-]`).ReplaceAllString(anchor, "")] = true
	}
	for _, m := range regexp.MustCompile(`\]\(([^)]*)\)`).FindAllStringSubmatch(readme, -1) {
		target, anchor, _ := strings.Cut(m[1], "#")
		switch {
		case strings.HasPrefix(target, "http"):
		case target == "" && !headings[anchor]:
			t.Errorf("there is no heading for #%s", anchor)
		case target != "":
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Error(err)
			}
		}
	}
}
