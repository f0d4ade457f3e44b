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
	"sync"
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

// A Firefox is one tab of a Firefox that all tests of a package share, driven by WebDriver
// BiDi. Storage, cookies and cache are apart from those of every other tab. One goroutine
// at a time may use it.
type Firefox struct {
	t       testing.TB
	browser *foxBrowser
	context string // of the tab
}

// foxBrowser is the program behind the tabs.
type foxBrowser struct {
	conn   *websocket.Conn
	closed chan struct{} // when nothing comes any more

	// Guarded by mu.
	mu      sync.Mutex
	id      int                    // of the last command
	waiting map[int]chan foxAnswer // for the answers to commands
	loads   map[string]int         // documents of each tab that are there as a whole
	loaded  chan struct{}          // closed at the next of them
}

// foxAnswer is what Firefox says: the result of a command, or an event, which has no ID.
type foxAnswer struct {
	ID             int
	Method         string
	Params         struct{ Context string }
	Result         json.RawMessage
	Error, Message string
}

// foxes is the one Firefox, and how it ends.
var foxes lastingFox

// lastingFox is [lasting] for Firefox.
type lastingFox struct {
	mu      sync.Mutex
	browser *foxBrowser
	end     func()
}

// StartFirefox opens a tab, in a window of its own, in Firefox, which starts with the first one, and ends with the
// process (see [Main]). The tab closes with the test.
func StartFirefox(t testing.TB) *Firefox {
	t.Helper()
	foxes.mu.Lock()
	defer foxes.mu.Unlock()
	if foxes.browser == nil {
		foxes.browser, foxes.end = startFirefox(t)
	}
	f := &Firefox{t: t, browser: foxes.browser}
	var person struct{ UserContext string }
	f.get("browser.createUserContext", map[string]any{}, &person)
	var tab struct{ Context string }
	f.get("browsingContext.create", map[string]any{"type": "window", "userContext": person.UserContext}, &tab)
	f.context = tab.Context
	t.Cleanup(func() { f.call("browser.removeUserContext", map[string]any{"userContext": person.UserContext}) })
	f.call("session.subscribe", map[string]any{"events": []string{loaded}, "contexts": []string{f.context}})
	return f
}

// startFirefox starts the program, and returns what ends it.
func startFirefox(t testing.TB) (*foxBrowser, func()) {
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
	profile, err := os.MkdirTemp("", "firefox")
	if err != nil {
		t.Fatal(err)
	}
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
	end := func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		_ = command.Wait() // killed, as it should be
		_ = os.RemoveAll(profile)
	}
	address := ""
	scanner := bufio.NewScanner(output)
	for address == "" && scanner.Scan() {
		_, address, _ = strings.Cut(scanner.Text(), "WebDriver BiDi listening on ")
	}
	if address == "" {
		end()
		t.Fatalf("browsertest: Firefox did not say where it listens: %v", scanner.Err())
	}
	go func() { // it writes on, and must not be kept from it
		for scanner.Scan() {
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), foxStart)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, strings.TrimSpace(address)+"/session", nil)
	if err != nil {
		end()
		t.Fatalf("browsertest: Firefox: %v", err)
	}
	conn.SetReadLimit(64 << 20)
	b := &foxBrowser{
		conn: conn, closed: make(chan struct{}),
		waiting: map[int]chan foxAnswer{}, loads: map[string]int{}, loaded: make(chan struct{}),
	}
	go b.read()
	if _, err := b.call("session.new", map[string]any{"capabilities": map[string]any{
		"alwaysMatch": map[string]any{"acceptInsecureCerts": true}, // tests sign their own
	}}); err != nil {
		end()
		t.Fatalf("browsertest: Firefox: %v", err)
	}
	return b, end
}

// loaded is the event of which loads is the count.
const loaded = "browsingContext.load"

// read hands every answer to who waits for it, and counts the documents that are there.
func (b *foxBrowser) read() {
	defer close(b.closed)
	for {
		_, text, err := b.conn.Read(context.Background())
		if err != nil {
			return
		}
		var answer foxAnswer
		if json.Unmarshal(text, &answer) != nil {
			continue // of a shape that nobody waits for
		}
		b.mu.Lock()
		if answer.Method == loaded {
			b.loads[answer.Params.Context]++
			close(b.loaded)
			b.loaded = make(chan struct{})
		} else if waiting := b.waiting[answer.ID]; waiting != nil {
			waiting <- answer
			delete(b.waiting, answer.ID)
		}
		b.mu.Unlock()
	}
}

// call sends one command and returns its result. Any goroutine may call it.
func (b *foxBrowser) call(method string, params map[string]any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(context.Background(), foxStart)
	defer cancel()
	mine := make(chan foxAnswer, 1)
	b.mu.Lock()
	b.id++
	id := b.id
	b.waiting[id] = mine
	b.mu.Unlock()
	command, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	if err == nil {
		err = b.conn.Write(ctx, websocket.MessageText, command)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	select {
	case answer := <-mine:
		if answer.Error != "" {
			return nil, fmt.Errorf("%s: %s: %s", method, answer.Error, answer.Message)
		}
		return answer.Result, nil
	case <-b.closed:
		return nil, fmt.Errorf("%s: it is gone", method)
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// call sends one command for the tab and returns its result.
func (f *Firefox) call(method string, params map[string]any) json.RawMessage {
	f.t.Helper()
	result, err := f.browser.call(method, params)
	if err != nil {
		f.t.Fatalf("browsertest: Firefox: %v", err)
	}
	return result
}

// get is call for a result of a known shape.
func (f *Firefox) get(method string, params map[string]any, result any) {
	f.t.Helper()
	if err := json.Unmarshal(f.call(method, params), result); err != nil {
		f.t.Fatalf("browsertest: Firefox: %s: %v", method, err)
	}
}

// Follow runs JavaScript statements that make the page load another, or itself again,
// and waits until that is there.
func (f *Firefox) Follow(statements string) {
	f.t.Helper()
	before, _ := f.browser.loadsOf(f.context)
	f.Run(statements)
	end := time.After(foxStart)
	for {
		loads, next := f.browser.loadsOf(f.context)
		if loads != before {
			return
		}
		select {
		case <-next:
		case <-end:
			f.t.Fatal("browsertest: Firefox: the next page does not come")
		}
	}
}

// loadsOf is how many documents a tab has had, and what is closed when there is one more
// in any tab.
func (b *foxBrowser) loadsOf(tab string) (int, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.loads[tab], b.loaded
}

// Navigate loads a page.
func (f *Firefox) Navigate(url string) {
	f.t.Helper()
	f.call("browsingContext.navigate", map[string]any{"context": f.context, "url": url, "wait": "complete"})
}

// BeforeLoad runs a script in every document before any of its own.
func (f *Firefox) BeforeLoad(script string) {
	f.t.Helper()
	f.call("script.addPreloadScript", map[string]any{"functionDeclaration": "() => {" + script + "}", "contexts": []string{f.context}})
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
