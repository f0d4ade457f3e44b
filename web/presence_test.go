package web_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"roulette/web/browsertest"
)

// testNoDowngrade: however the first handshakes fail, what comes in the end is a rich
// client that has waited, has said why, and is paired by nobody but its person.
func testNoDowngrade(t *testing.T, chat *fakeChat, enter func() person) {
	// The next attempt waits for its second, and the second for us: what is said while
	// it waits can be looked at.
	anna := enter()
	anna.beforeLoad(`Math.random = () => 1;` + stoppedClock)
	for _, test := range []struct {
		description string
		fail        func(w http.ResponseWriter)
		says        string
	}{
		{"503", func(w http.ResponseWriter) { http.Error(w, "full", http.StatusServiceUnavailable) }, "The server is full"},
		{"429", func(w http.ResponseWriter) { http.Error(w, "too many", http.StatusTooManyRequests) }, "Too many connections come from your address"},
		{"404", func(w http.ResponseWriter) { http.Error(w, "what?", http.StatusNotFound) }, "The connection is lost"},
		{"a reset", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "The connection is lost"},
	} {
		var refusing atomic.Bool
		refusing.Store(true)
		var plain atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/ws" {
				if r.Header.Get("Upgrade") != "" && r.Header.Get("Sec-WebSocket-Protocol") != subprotocol {
					plain.Add(1)
				}
				if refusing.Load() {
					test.fail(w)
					return
				}
			}
			chat.handler.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		anna.do(chromedp.Navigate(server.URL))
		anna.see(reconnecting, fmt.Sprintf(`((text) => text.startsWith(%q) && /\d/.test(text))(document.getElementById('explanation').innerText)`, test.says))
		anna.check(`!document.getElementById('retry').hidden`)
		refusing.Store(false)
		anna.run(`document.getElementById('retry').click()`)
		anna.see(idle)
		if n := plain.Load(); n > 0 {
			t.Errorf("after %s: %d attempts without the subprotocol", test.description, n)
		}
		anna.do(chromedp.Navigate("about:blank"))
	}
}

// testGone: whoever opens another address has left, and the partner knows at once.
func testGone(t *testing.T, chat *fakeChat, enter func() person) {
	for _, how := range []string{"another address", "reload", "kept"} {
		anna, ben := enter(), enter()
		meet(anna, ben)
		switch how {
		case "reload":
			ben.do(chromedp.Reload())
		case "another address":
			ben.do(chromedp.Navigate("data:text/html,elsewhere"))
		case "kept": // for the Back button, as browsers do that can
			ben.run(`dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))`)
		}
		anna.see(left, last("note", "The stranger left."))
		if how == "kept" {
			ben.run(`dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))`)
			ben.see(left, noted("You have left."))
		}
		anna.do(chromedp.Navigate("about:blank"))
		ben.do(chromedp.Navigate("about:blank"))
	}
}

// testFrozen: a page that the browser freezes is away, or has left where the browser
// cuts its connection (as Chromium does); when it is back, both know how things are.
func testFrozen(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	ben := person{t, browsertest.Start(t)} // whose tab is alone, and stays what it is made here
	ben.do(chromedp.Navigate(chat.url), browsertest.Wait(idle))
	meet(anna, ben)
	const (
		away = `!document.getElementById('away').hidden`
		back = `document.getElementById('away').hidden`
	)
	anna.check(back)
	lifecycle := func(state page.SetWebLifecycleStateState) {
		ben.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: state})
			return err
		}))
	}
	lifecycle(page.SetWebLifecycleStateStateFrozen)
	anna.see(away + " || " + left)
	lifecycle(page.SetWebLifecycleStateStateActive)
	ben.see(left)
	anna.see(left)

	ben = enter()
	meet(anna, ben)
	// Hidden and shown, in the ways that browsers have, are each told once.
	chat.records()
	ben.run(`let state = 'hidden';
		Object.defineProperty(document, 'visibilityState', { get: () => state });
		const changed = () => document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
		changed(); changed();
		document.dispatchEvent(new Event('freeze'));
		state = 'visible';
		document.dispatchEvent(new Event('resume'));
		changed();`)
	ben.say("still with you")
	anna.see(last("stranger", "still with you"), back)
	heard := slices.DeleteFunc(chat.records(), func(record string) bool { return record == "ping" })
	if got := strings.Join(heard, " "); got != "hiding shown" {
		t.Errorf("the server heard %q", got)
	}
}

// blackHole is a way to a server that can cease to be one: it still accepts, and
// nothing goes through any more, in either direction.
type blackHole struct {
	url    string
	closed atomic.Bool
}

func newBlackHole(t *testing.T, target string) *blackHole {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hole := &blackHole{url: "http://" + listener.Addr().String()}
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	keep := func(c net.Conn) net.Conn {
		mu.Lock()
		defer mu.Unlock()
		open = append(open, c)
		return c
	}
	pump := func(to io.Writer, from net.Conn) {
		defer all.Done()
		b := make([]byte, 32<<10)
		for {
			n, err := from.Read(b)
			if err != nil {
				if !hole.closed.Load() {
					to.(net.Conn).Close()
				}
				return
			}
			if !hole.closed.Load() {
				_, _ = to.Write(b[:n])
			}
		}
	}
	all.Add(1)
	go func() {
		defer all.Done()
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", strings.TrimPrefix(target, "http://"))
			if err != nil {
				near.Close()
				continue
			}
			all.Add(2)
			go pump(keep(far), keep(near))
			go pump(near, far)
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return hole
}

// testBlackHole: a network that takes everything and gives nothing is noticed by who
// writes into it; what was written is not shown as if it had arrived.
func testBlackHole(t *testing.T, chat *fakeChat, enter func() person) {
	hole := newBlackHole(t, chat.url)
	anna, ben := enter(), enter()
	anna.beforeLoad(stoppedClock)
	anna.do(chromedp.Navigate(hole.url), browsertest.Wait(idle))
	meet(anna, ben)
	anna.say("this one arrives")
	ben.see(last("stranger", "this one arrives"))
	// An answered ping says that everything before it has arrived.
	anna.run(`document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))`)
	ben.say("so does this")
	anna.see(last("stranger", "so does this"))
	hole.closed.Store(true)
	for n := range 3 {
		anna.say(fmt.Sprintf("into the hole %d", n))
	}
	anna.check(chatting)
	anna.pass(8)
	anna.check(`document.getElementById('status').innerText === 'Slow…'`, `document.getElementById('explanation').innerText.includes('has not answered')`)
	anna.run(`Math.random = () => 0`)
	anna.pass(12)
	anna.see(reconnecting, noted("The connection was lost, and the stranger with it."))
	anna.check(`[...document.querySelectorAll('.uncertain .text')].map((text) => text.textContent).join() === 'into the hole 0,into the hole 1,into the hole 2'`,
		`document.querySelector('.uncertain .fate').textContent === 'Perhaps not delivered'`)
	hole.closed.Store(false)
	anna.pass(15) // of an attempt that was made into it
	anna.see(left)
}

// testHeartbeat drives the module by a clock of its own: for every moment at which the
// network can die, and every later one at which somebody acts, "slow" is said within 8
// and "lost" within 20 seconds; and a quiet chat costs one ping in the time given.
func testHeartbeat(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	anna.run(`const { Heartbeat } = await import('/heartbeat.js');
		const real = { now: Date.now, set: setTimeout, clear: clearTimeout, random: Math.random };
		let now, timers, next;
		const run = (until) => {
			for (;;) {
				const due = timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at || a.id - b.id)[0];
				if (!due) break;
				timers = timers.filter((timer) => timer !== due);
				now = Math.max(now, due.at);
				due.f();
			}
			now = until;
		};
		const scenario = (random) => {
			now = 1e9, timers = [], next = 1;
			Math.random = () => random;
			const seen = { pings: 0, dead: false };
			const heart = new Heartbeat({
				ping: (n) => {
					seen.pings++;
					if (!seen.dead) setTimeout(() => { if (!seen.dead) { heart.heard(); heart.answered(n); } }, 200);
				},
				slow: (on) => { seen.slow = on ? now : undefined; },
				lost: () => { seen.lost = now; heart.stop(); },
			});
			heart.start(25);
			return [heart, seen];
		};
		Date.now = () => now;
		window.setTimeout = (f, ms) => { timers.push({ id: next, at: now + ms, f }); return next++; };
		window.clearTimeout = (id) => { timers = timers.filter((timer) => timer.id !== id); };
		let failed = '';
		try {
			for (const random of [0, 0.5, 0.999]) {
				const [, quiet] = scenario(random);
				run(now + 1000_000);
				if (quiet.pings < 40 || quiet.pings > 50) failed += quiet.pings + ' pings in 1000 s\n';
				if (quiet.slow || quiet.lost) failed += 'a quiet chat is slow\n';
				for (let dies = 0; dies <= 30_000; dies += 700) {
					for (let acts = 0; acts <= 12_000; acts += 500) {
						const [heart, seen] = scenario(random);
						const early = (dies + acts) % 3_600; // somebody acted so long before, and heard something since
						run(now + Math.max(0, dies - early));
						heart.acted();
						run(now + Math.min(dies, early));
						heart.heard(); // the last that comes
						seen.dead = true;
						run(now + acts);
						const act = now;
						heart.sent();
						heart.acted();
						run(act + 60_000);
						const where = ' (dies ' + dies + ', acts ' + acts + ')\n';
						if (!(seen.slow === undefined && seen.lost <= act + 20_000)) failed += 'lost after ' + (seen.lost - act) + where;
						const [again, other] = scenario(random);
						run(now + Math.max(0, dies - early));
						again.acted();
						run(now + Math.min(dies, early));
						again.heard();
						other.dead = true;
						run(now + acts);
						again.sent();
						again.acted();
						run(now + 8_000);
						if (!(other.slow <= now || other.lost <= now)) failed += 'not slow after 8 s' + where;
					}
				}
				// A machine that slept through an answer asks again before it despairs.
				const [heart, seen] = scenario(random);
				seen.dead = true;
				heart.ask();
				const at = now;
				now += 3600_000; // no timer ran
				seen.dead = false;
				run(now + 4_000);
				if (seen.lost || seen.slow || seen.pings < 2) failed += 'after sleep: ' + JSON.stringify(seen) + '\n';
			}
		} finally {
			Date.now = real.now;
			window.setTimeout = real.set;
			window.clearTimeout = real.clear;
			Math.random = real.random;
		}
		if (failed) throw new Error(failed.slice(0, 2000));`)
}

// testOldServer: with a server that knows no hello the page does what it did before.
func testOldServer(t *testing.T, chat *fakeChat, enter func() person) {
	chat.old = true
	anna, ben := enter(), enter()
	anna.check(warning(""))
	meet(anna, ben)
	anna.say("hello")
	ben.see(last("stranger", "hello"))
	anna.run(`document.dispatchEvent(new Event('freeze')); document.dispatchEvent(new Event('resume'))`)
	ben.say("hello to you")
	anna.see(last("stranger", "hello to you"))
	for _, record := range chat.records() {
		if record != "hello" && record != "next" {
			t.Errorf("the server was sent %q", record)
		}
	}
}
