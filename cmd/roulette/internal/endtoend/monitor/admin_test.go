package monitor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/web/browsertest"
)

// tile is the condition that the status page shows this number under this title.
func tile(title, number string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("#tiles > div")].some((d) => d.querySelector("h2").textContent === %q && d.querySelector("b").textContent === %q)`, title, number)
}

// TestStatusPage: the page follows what happens by itself, fits a phone, changes
// the log level, and says when nobody answers.
func TestStatusPage(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t)
	tab := browsertest.Start(t)
	// The page's seconds are short here.
	browsertest.BeforeLoad(t, tab, `{
		const [later, { timeout }] = [setTimeout, AbortSignal];
		window.setTimeout = (f, ms) => later(f, ms / 10);
		AbortSignal.timeout = (ms) => timeout.call(AbortSignal, ms / 10);
	}`)
	page := func(path string) { browsertest.Do(t, tab, chromedp.Navigate("http://"+p.Admin+path)) }
	for _, size := range []struct{ width, height int64 }{{1280, 800}, {390, 844}} {
		browsertest.Do(t, tab, chromedp.EmulateViewport(size.width, size.height))
		for _, path := range []string{"/", "/statusz"} {
			page(path)
			browsertest.Do(t, tab, browsertest.Wait(`document.documentElement.scrollWidth <= document.documentElement.clientWidth`))
		}
	}
	browsertest.Do(t, tab, browsertest.Wait(tile("Pairs", "0")))
	a, b := servertest.Dial(t, p.Addr, "/ws"), servertest.Dial(t, p.Addr, "/ws")
	browsertest.Do(t, tab, browsertest.Wait(tile("Pairs", "1")), browsertest.Wait(tile("Connections", "2")))
	a.Leave()
	b.Leave()
	browsertest.Do(t, tab, browsertest.Wait(tile("Connections", "0")))

	// The form leads back to the page, which is there before it is asked.
	ctx, cancel := context.WithTimeout(tab, browsertest.Timeout)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector("button[value=debug]").click(); 0`)); err != nil {
		t.Fatal(err)
	}
	if _, level := program.Get(t, "http://"+p.Admin+"/loglevel"); level != "debug\n" {
		t.Errorf("the level is %s", level)
	}
	browsertest.Do(t, tab, browsertest.Wait(`document.querySelector("#actions").textContent.includes("log level changed from=INFO to=DEBUG")`))

	p.Signal(t, syscall.SIGSTOP)
	browsertest.Do(t, tab, browsertest.Wait(`document.getElementById("stale").textContent.startsWith("No answer")`))
	p.Signal(t, syscall.SIGCONT)
	browsertest.Do(t, tab, browsertest.Wait(`document.getElementById("stale").hidden`))
}

// TestForeignPageInABrowser: a page of another site that is open in an operator's
// browser changes nothing and learns nothing on the admin side.
func TestForeignPageInABrowser(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t)
	tab := browsertest.Start(t)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<title>evil</title><body><img src="http://%s/debug/pprof/heap"><script>
			const ask = (path, init) => fetch("http://%[1]s/" + path, {mode: "no-cors", ...init});
			Promise.allSettled([ask("debug/pprof/heap"), ask("loglevel", {method: "POST", body: new URLSearchParams({level: "debug"})})])
				.then(() => new Promise((done) => { document.images[0].complete ? done() : (document.images[0].onerror = done); }))
				.then(() => { document.title = "tried"; });
			</script>`, p.Admin)
	}))
	defer evil.Close()
	browsertest.Do(t, tab, chromedp.Navigate(evil.URL), browsertest.Wait(`document.title === "tried"`))
	if _, level := program.Get(t, "http://"+p.Admin+"/loglevel"); level != "info\n" {
		t.Errorf("the level is %s", level)
	}
	if strings.Contains(p.Stderr.String(), "profile taken") {
		t.Error("a picture has taken a profile")
	}
}

// TestRebinding: a name of somebody else's that leads to the admin side is no name
// of it.
func TestRebinding(t *testing.T) {
	servertest.Parallel(t)
	p := program.Launch{Args: []string{"--admin-hosts", "admin.example.org"}}.Serve(t)
	_, port, err := net.SplitHostPort(p.Admin)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{"evil.example": http.StatusMisdirectedRequest, "admin.example.org": http.StatusOK, "localhost": http.StatusOK} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.Admin+"/statusz", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = net.JoinHostPort(host, port)
		answer, err := program.Pages.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := program.Answer(t, answer); status != want {
			t.Errorf("as %s: %d, want %d", host, status, want)
		}
	}
}
