package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"roulette/web/browsertest"
)

// tally counts what a browser asks of a handler, and refuses all but the first request.
type tally struct {
	handler http.Handler

	// Guarded by mu.
	mu    sync.Mutex
	paths []string
	bytes int
}

func (l *tally) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paths = append(l.paths, r.URL.Path)
	if len(l.paths) > 1 && r.URL.Path != "/manifest.webmanifest" { // Chromium calls that one missing an error of the page
		http.Error(w, "no place", http.StatusServiceUnavailable)
		return
	}
	counter := &countingWriter{ResponseWriter: w}
	l.handler.ServeHTTP(counter, r)
	l.bytes += counter.n
}

type countingWriter struct {
	http.ResponseWriter
	n int
}

func (w *countingWriter) Write(b []byte) (int, error) {
	w.n += len(b)
	return w.ResponseWriter.Write(b)
}

// TestFirstLoadIsOneDocument: a server that has a place for one request serves the
// whole page, with its looks and its script.
func TestFirstLoadIsOneDocument(t *testing.T) {
	t.Parallel()
	chat := newFakeChat(t, false)
	asked := &tally{handler: chat.handler}
	server := httptest.NewServer(asked)
	t.Cleanup(server.Close)
	ctx := browsertest.Shared(t)
	browsertest.Do(t, ctx, browsertest.Slow3G(), chromedp.Navigate("about:blank"))
	start := time.Now()
	browsertest.Do(t, ctx, chromedp.Navigate(server.URL), browsertest.Wait(`document.documentElement.dataset.ready === ''`))
	ready := time.Since(start)
	p := person{t, ctx}
	p.check(`document.styleSheets.length > 0 && getComputedStyle(document.querySelector('header')).display === 'flex'`,
		`document.getElementById('status').textContent !== ''`,
		`performance.getEntriesByType('resource').every(({ name }) => !/\.(js|css)$/.test(name))`)
	asked.mu.Lock()
	defer asked.mu.Unlock()
	t.Logf("%d bytes in the first of %d requests %q; ready on a slow network (400 ms, 50 kB/s) after %v", asked.bytes, len(asked.paths), asked.paths, ready.Round(10*time.Millisecond))
}

// TestTooOldABrowser: where the script of the page does not run to its end, the page
// says so in words that the reader knows, in its own looks, and stays where it is.
func TestTooOldABrowser(t *testing.T) {
	t.Parallel()
	chat := newFakeChat(t, false)
	for _, test := range []struct {
		languages, says string
	}{
		{`['de-AT', 'en']`, "zu alt"},
		{`['xx', 'ar']`, "قديم"},
		{`[]`, "too old"},
		{`undefined`, "too old"},
	} {
		t.Run(test.languages, func(t *testing.T) {
			p := person{t, browsertest.Shared(forgiving{t})}
			p.beforeLoad(fmt.Sprintf(`Object.defineProperty(navigator, 'languages', { get: () => %s });
				Object.defineProperty(navigator, 'language', { get: () => undefined });
				delete globalThis.EventTarget.prototype.addEventListener;`, test.languages))
			p.do(chromedp.Navigate(chat.url+"/#here"), browsertest.Wait(`document.documentElement.dataset.ready === 'never'`))
			p.check(fmt.Sprintf(`document.body.innerText.includes(%q)`, test.says),
				`document.querySelector('button').clientHeight >= 36`, `location.hash === '#here'`)
		})
	}
}

// forgiving is a test that goes on when a page has thrown an exception.
type forgiving struct{ testing.TB }

func (f forgiving) Errorf(format string, arguments ...any) { f.Logf(format, arguments...) }
