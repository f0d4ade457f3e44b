// Package browsertest runs tests in a real Chromium, and in a real Firefox.
//
//	ctx := browsertest.Start(t)            // a browser with one tab
//	other := browsertest.NewPerson(t, ctx) // a second tab that shares nothing with it
//
//	browsertest.Do(t, ctx,
//		chromedp.Navigate(url),
//		browsertest.Wait(`document.readyState === "complete"`),
//		browsertest.Type("Hello"), // into the focused element
//		browsertest.Enter())
//
// [Shared] gives a tab in a browser that a whole package shares, whose TestMain calls
// [Main]. [StartFirefox] is for what has to be seen in another engine as well; it can less.
//
// The browser runs without a window, talks to nothing but what the test opens, has
// a profile of its own, and is gone with everything it wrote when the test ends.
//
// A test fails, too, when a page throws an exception that nobody catches or meets its
// Content-Security-Policy.
//
// Where there is no Chromium the test is skipped and says so; where the environment
// has CI=true it fails, so that a test which must run cannot quietly not run.
//
// A context belongs to one tab, and one goroutine at a time may use it (see
// [chromedp.NewContext]); its steps may be any of package chromedp. Only tests import
// this package.
package browsertest
