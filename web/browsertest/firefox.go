package browsertest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// foxNames are the programs that are looked for on the path, in this order.
var foxNames = []string{"firefox-esr", "firefox"}

// foxStart is how long Firefox may take for one command, of which the first one waits
// until all of it is there.
const foxStart = 2 * time.Minute

// foxSettings keep a fresh profile from talking to anybody.
const foxSettings = `
user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.newtabpage.enabled", false);
user_pref("browser.safebrowsing.update.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("datareporting.healthreport.uploadEnabled", false);
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.dns.disablePrefetch", true);
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.enabled", false);
user_pref("ui.prefersReducedMotion", 1);
`

// A Firefox is one tab of a Firefox of its own, driven by WebDriver BiDi. One goroutine
// at a time may use it.
type Firefox struct {
	t       testing.TB
	conn    *websocket.Conn
	context string // of the tab
	id      int    // of the last command
	loads   int    // documents of the tab that are there as a whole
}

// StartFirefox starts Firefox, as [Start] does Chromium. It ends with the test.
func StartFirefox(t testing.TB) *Firefox {
	t.Helper()
	program := ""
	for _, name := range foxNames {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no browser: none of %q is on the path, and CI=true: this test must run", foxNames)
		}
		t.Skipf("skipped: none of %q is on the path; install Firefox to run this test", foxNames)
	}
	profile := t.TempDir()
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(foxSettings), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0", "about:blank")
	command.Env = append(os.Environ(), "HOME="+profile, "MOZ_CRASHREPORTER_DISABLE=1")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its children end with it
	output, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	f := &Firefox{t: t}
	t.Cleanup(func() {
		if f.conn != nil {
			f.conn.CloseNow()
		}
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		_ = command.Wait() // killed, as it should be
	})
	address := ""
	scanner := bufio.NewScanner(output)
	for address == "" && scanner.Scan() {
		_, address, _ = strings.Cut(scanner.Text(), "WebDriver BiDi listening on ")
	}
	if address == "" {
		t.Fatalf("browsertest: Firefox did not say where it listens: %v", scanner.Err())
	}
	go func() { // it writes on, and must not be kept from it
		for scanner.Scan() {
		}
	}()
	f.open(address)
	return f
}

// open begins a session and finds the tab.
func (f *Firefox) open(address string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), foxStart)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, strings.TrimSpace(address)+"/session", nil)
	if err != nil {
		f.t.Fatalf("browsertest: Firefox: %v", err)
	}
	f.conn = conn
	f.conn.SetReadLimit(64 << 20)
	f.call("session.new", map[string]any{"capabilities": map[string]any{
		"alwaysMatch": map[string]any{"acceptInsecureCerts": true}, // tests sign their own
	}})
	var tree struct {
		Contexts []struct{ Context string }
	}
	if err := json.Unmarshal(f.call("browsingContext.getTree", map[string]any{}), &tree); err != nil || len(tree.Contexts) == 0 {
		f.t.Fatalf("browsertest: Firefox has no tab: %v", err)
	}
	f.context = tree.Contexts[0].Context
	f.call("session.subscribe", map[string]any{"events": []string{loaded}, "contexts": []string{f.context}})
}

// loaded is the event of which loads is the count.
const loaded = "browsingContext.load"

// call sends one command and returns its result.
func (f *Firefox) call(method string, params map[string]any) json.RawMessage {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), foxStart)
	defer cancel()
	f.id++
	command, err := json.Marshal(map[string]any{"id": f.id, "method": method, "params": params})
	if err == nil {
		err = f.conn.Write(ctx, websocket.MessageText, command)
	}
	for err == nil {
		var answer answer
		if answer, err = f.read(ctx); err != nil || answer.ID != f.id {
			continue
		}
		if answer.Error != "" {
			err = fmt.Errorf("%s: %s", answer.Error, answer.Message)
			break
		}
		return answer.Result
	}
	f.t.Fatalf("browsertest: Firefox: %s: %v", method, err)
	return nil
}

// answer is what Firefox says: the result of a command, or an event, which has no ID.
type answer struct {
	ID             int
	Method         string
	Result         json.RawMessage
	Error, Message string
}

// read reads one, and counts it if a document is there.
func (f *Firefox) read(ctx context.Context) (a answer, err error) {
	_, text, err := f.conn.Read(ctx)
	if err != nil {
		return a, err
	}
	if err = json.Unmarshal(text, &a); a.Method == loaded {
		f.loads++
	}
	return a, err
}

// Follow runs JavaScript statements that make the page load another, or itself again,
// and waits until that is there.
func (f *Firefox) Follow(statements string) {
	f.t.Helper()
	before := f.loads
	f.Run(statements)
	ctx, cancel := context.WithTimeout(context.Background(), foxStart)
	defer cancel()
	for f.loads == before {
		if _, err := f.read(ctx); err != nil {
			f.t.Fatalf("browsertest: Firefox: the next page: %v", err)
		}
	}
}

// Navigate loads a page.
func (f *Firefox) Navigate(url string) {
	f.t.Helper()
	f.call("browsingContext.navigate", map[string]any{"context": f.context, "url": url, "wait": "complete"})
}

// BeforeLoad runs a script in every document before any of its own.
func (f *Firefox) BeforeLoad(script string) {
	f.t.Helper()
	f.call("script.addPreloadScript", map[string]any{"functionDeclaration": "() => {" + script + "}"})
}

// Run runs JavaScript statements in the page, which may await, and fails the test when
// they throw.
func (f *Firefox) Run(statements string) {
	f.t.Helper()
	var result struct {
		Type             string
		ExceptionDetails struct{ Text string }
	}
	answer := f.call("script.evaluate", map[string]any{
		"expression": "(async () => {" + statements + "})()", "awaitPromise": true,
		"target": map[string]any{"context": f.context}, "userActivation": true,
	})
	if err := json.Unmarshal(answer, &result); err != nil || result.Type != "success" {
		f.t.Fatalf("browsertest: Firefox: %s %v", result.ExceptionDetails.Text, err)
	}
}

// Wait waits until condition, a JavaScript expression, is true in the page.
func (f *Firefox) Wait(condition string) {
	f.t.Helper()
	f.Run(waitScript(condition))
}

// waitScript is statements that wait until condition is true, or throw what the page shows.
func waitScript(condition string) string {
	return fmt.Sprintf(`await new Promise((resolve, reject) => {
		const look = () => {
			let met = false;
			try {
				met = %s;
			} catch {
				// not yet
			}
			if (!met) return;
			clearInterval(timer);
			clearTimeout(end);
			resolve();
		};
		const timer = setInterval(look, 20);
		const end = setTimeout(() => {
			clearInterval(timer);
			reject(new Error('waiting for ' + %q + '; the page shows: ' + document.body.innerText.slice(-2000)));
		}, %d);
		look();
	})`, condition, condition, Timeout.Milliseconds())
}
