package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Timeout is how long one [Wait], or one step of [Do], may take: long enough for a very
// busy machine, short enough to see in a failed test what it waited for.
const Timeout = 30 * time.Second

// names are the programs that are looked for on the path, in this order.
var names = []string{"chromium", "chromium-browser", "google-chrome"}

// Start starts Chromium and returns the context of its first tab, for
// [chromedp.Do]. The browser ends with the test.
func Start(t testing.TB) context.Context {
	t.Helper()
	program, err := find()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v, and CI=true: this test must run", err)
		}
		t.Skipf("skipped: %v; install Chromium to run this test", err)
	}

	// Later options win. chromedp adds a fresh profile and removes it at the end.
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.Flag("headless", true),
		chromedp.Flag("no-sandbox", true), // test machines run as root, which the sandbox refuses
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("force-prefers-reduced-motion", true), // drawing without end costs most of a processor
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("no-first-run", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
	)
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancelAllocator)
	return open(t, allocator)
}

// NewPerson opens a tab in the browser of ctx for somebody else: storage, cookies
// and cache are apart from those of every other tab. The tab closes with the test;
// to close it earlier call [chromedp.Cancel].
func NewPerson(t testing.TB, ctx context.Context) context.Context {
	t.Helper()
	return open(t, ctx, chromedp.WithNewBrowserContext())
}

// open makes a tab and registers its end.
func open(t testing.TB, parent context.Context, options ...chromedp.ContextOption) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, append(options, failOnErrors(t))...)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("browsertest: start: %v", err)
	}
	return ctx
}

// failOnErrors fails the test when it is over if a page has thrown an exception that
// nobody caught, or has tried what its Content-Security-Policy forbids. Failures of
// the network are not errors of the page: tests cause them on purpose.
func failOnErrors(t testing.TB) chromedp.ContextOption {
	var mu sync.Mutex
	var errors []string
	t.Cleanup(func() { // runs when the tab is closed: cleanups run last to first
		mu.Lock()
		defer mu.Unlock()
		for _, text := range errors {
			t.Errorf("browsertest: in the page: %s", text)
		}
	})
	return chromedp.WithListener(func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			errors = append(errors, describe(event.ExceptionDetails))
		case *log.EventEntryAdded:
			if event.Entry.Level == log.EntryLevelError && event.Entry.Source != log.EntrySourceNetwork {
				errors = append(errors, event.Entry.Text)
			}
		}
	})
}

// find returns the path of the first of names there is.
func find() (string, error) {
	for _, name := range names {
		if program, err := exec.LookPath(name); err == nil {
			return program, nil
		}
	}
	return "", fmt.Errorf("no browser: none of %q is on the path", names)
}

// Do runs the steps in the tab of ctx, one after the other, and fails the test at the
// first that fails or does not end. (Many steps of chromedp wait without end for an
// element that never comes.)
func Do(t testing.TB, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	for _, step := range steps {
		if err := do(ctx, step); err != nil {
			t.Fatal(err)
		}
	}
}

func do(ctx context.Context, step chromedp.Action[chromedp.Void]) error {
	// A little longer than Wait, which has more to say when it fails.
	ctx, cancel := context.WithTimeout(ctx, Timeout+2*time.Second)
	defer cancel()
	return chromedp.Do(ctx, step)
}

// Wait waits until condition, a JavaScript expression, is true in the tab. It is
// evaluated after every change of the document, and now and then between, for what
// no change tells of; while it throws (a document that is being replaced has no root)
// it is not met, and where the page is left, the next one is waited for. Unlike [chromedp.Poll] it works on a page whose
// Content-Security-Policy forbids eval, and in a tab that is not in front.
func Wait(condition string) chromedp.Action[chromedp.Void] {
	script := `new Promise((resolve) => {
		const look = () => {
			try {
				if (!(` + condition + `)) return;
			} catch (error) {
				window.waitFailed = error;
				return;
			}
			observer.disconnect();
			clearInterval(timer);
			resolve(true);
		};
		const observer = new MutationObserver(look);
		observer.observe(document, { attributes: true, characterData: true, childList: true, subtree: true });
		const timer = setInterval(look, 50);
		look();
	})`
	wait := chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise)
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		waiting, cancel := context.WithTimeout(ctx, Timeout)
		defer cancel()
		_, err := wait(waiting, tab)
		for err != nil && waiting.Err() == nil && strings.Contains(err.Error(), "navigated") { // the page went while it was asked
			_, err = wait(waiting, tab)
		}
		if err != nil {
			return fmt.Errorf("browsertest: waiting for %s: %w; the page shows:\n%s", condition, err, visibleText(ctx, tab))
		}
		return nil
	})
}

// BeforeLoad runs a script in every document of the tab of ctx before any of its own,
// until the test is over.
func BeforeLoad(t testing.TB, ctx context.Context, script string) {
	t.Helper()
	var added page.AddScriptToEvaluateOnNewDocumentResult
	Do(t, ctx, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) (err error) {
		added, err = cdp.Call(ctx, tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	}))
	t.Cleanup(func() {
		Do(t, ctx, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, page.RemoveScriptToEvaluateOnNewDocument, page.RemoveScriptToEvaluateOnNewDocumentParams(added))
			return err
		}))
	})
}

// visibleText is the end of what the page in tab shows, to go behind an error, and
// what a condition that was waited for threw last.
func visibleText(ctx context.Context, tab *chromedp.Target) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	text, err := chromedp.Evaluate[string](`(window.waitFailed ?? '') + document.body.innerText.slice(-2000)`)(ctx, tab)
	if err != nil {
		return err.Error()
	}
	return text
}

// describe is what an exception says: its stack where it has one.
func describe(exception *runtime.ExceptionDetails) string {
	if exception.Exception != nil && exception.Exception.Description != "" {
		return exception.Exception.Description
	}
	return exception.Text
}
