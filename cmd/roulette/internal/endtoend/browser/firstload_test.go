//go:build long

package browser

import (
	"context"
	"flag"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/web/browsertest"
)

var firstLoadOf = flag.String("firstload.url", "", "the page of a server that runs already, such as another version's, which is measured instead")

// load is what the first visit of somebody takes.
type load struct {
	requests, bytes int
	ready           time.Duration // until somebody can press Start
}

// TestFirstLoad prints what the page costs somebody who has never been there: requests
// and bytes as the browser counts them, and the time until it is ready, on a slow network
// and without one; medians of five.
func TestFirstLoad(t *testing.T) {
	browsertest.Ready(t)
	url := *firstLoadOf
	if url == "" {
		url = "http://" + program.Serve(t).Addr + "/"
	}
	for _, network := range []string{"loopback", "slow 3G (400 ms, 400 kbit/s)"} {
		var all []load
		for range 5 {
			all = append(all, firstLoad(t, url, network != "loopback"))
		}
		slices.SortFunc(all, func(a, b load) int { return int(a.ready - b.ready) })
		median := all[len(all)/2]
		t.Logf("%s: %d requests, %d bytes, ready after %v (%v to %v)", network, median.requests, median.bytes, median.ready, all[0].ready, all[len(all)-1].ready)
		if *firstLoadOf == "" && median.requests > 3 { // the page, its icon and its manifest
			t.Errorf("%d requests", median.requests)
		}
	}
}

func firstLoad(t *testing.T, url string, slow bool) (l load) {
	ctx := browsertest.Shared(t)
	var mu sync.Mutex
	if err := chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch event := event.(type) {
		case *network.EventRequestWillBeSent:
			if event.Request.URL != "about:blank" {
				l.requests++
			}
		case *network.EventLoadingFinished:
			l.bytes += int(event.EncodedDataLength)
		}
	}); err != nil {
		t.Fatal(err)
	}
	browsertest.Do(t, ctx, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, network.Enable, network.EnableParams{})
		return err
	}))
	if slow {
		browsertest.Do(t, ctx, browsertest.Slow3G())
	}
	start := time.Now()
	browsertest.Do(t, ctx, chromedp.Navigate(url), browsertest.Wait(state("idle")))
	l.ready = time.Since(start).Round(10 * time.Millisecond)
	browsertest.Do(t, ctx, chromedp.Navigate("about:blank"))
	mu.Lock()
	defer mu.Unlock()
	return l
}
