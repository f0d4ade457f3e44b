package web_test

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"roulette/web/browsertest"
)

func testKilled(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	meet(anna, ben)
	anna.write("What I wanted to s")
	chat.refuse(true)
	chat.cut()
	for _, p := range []person{anna, ben} {
		p.see(reconnecting, unsendable, last("note", "The connection was lost, and the stranger with it."))
	}
	chat.refuse(false)
	for _, p := range []person{anna, ben} {
		p.see(left, button("Next"), last("note", "Connected again."))
	}
	anna.check(`document.getElementById('field').value === 'What I wanted to s'`)
	meet(anna, ben)
	anna.check(emptyField)
	anna.say("still there?")
	ben.see(last("stranger", "still there?"))

	// Who was looking looks again, without a word.
	ben.leave()
	anna.see(left)
	anna.press()
	anna.see(looking)
	chat.cut()
	anna.see(last("note", "Connected again."), looking)
	ben.see(idle)
	ben.press()
	anna.see(chatting)
}

func testDrop(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	chat.refuse(true)
	chat.cut()
	anna.see(reconnecting, `!document.getElementById('notice').hidden`, last("note", "The connection was lost."))
	anna.press() // a wish that is remembered

	anna.failToSend("still here?")

	chat.refuse(false)
	anna.see(looking, `document.getElementById('notice').hidden`)
	ben := enter()
	ben.press()
	anna.see(chatting)
	anna.check(`document.getElementById('warning').innerText === ''`)
	anna.do(browsertest.Enter())
	ben.see(last("stranger", "still here?"))
}

func testOnline(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	// The next wait is the longest there is, unless something shortens it.
	anna.run(`Math.random = () => 1`)
	chat.refuse(true)
	chat.cut()
	anna.see(reconnecting)
	chat.refuse(false)
	// Some attempts may have failed by now; the page waits, and the network returns.
	anna.see(`!document.getElementById('retry').hidden`)
	anna.run(`dispatchEvent(new Event('online'))`)
	anna.see(idle, last("note", "Connected again."))

	chat.refuse(true)
	chat.cut()
	anna.see(reconnecting)
	chat.refuse(false)
	anna.see(`!document.getElementById('retry').hidden`)
	anna.run(`document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))`)
	anna.see(idle)

	chat.refuse(true)
	chat.cut()
	anna.see(reconnecting)
	chat.refuse(false)
	anna.see(`!document.getElementById('retry').hidden`)
	anna.run(`document.getElementById('retry').click()`) // the mouse could come too late: it tries by itself
	anna.see(idle, focusedField)
}

func testOffline(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	offline := func(offline bool) {
		anna.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			rules := network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{
				{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1},
			}}
			if _, err := cdp.Call(ctx, tab, network.EmulateNetworkConditionsByRule, rules); err != nil {
				return err
			}
			state := network.OverrideNetworkStateParams{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1}
			_, err := cdp.Call(ctx, tab, network.OverrideNetworkState, state)
			return err
		}))
	}
	anna.run(`Math.random = () => 1`)
	offline(true)
	chat.cut()
	anna.see(reconnecting, `document.getElementById('explanation').innerText.includes('offline')`)
	offline(false)
	anna.see(idle)
}

func testRestart(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	anna.run(`Math.random = () => 1`) // the longest wait: an attempt that fails has another explanation
	chat.refuse(true)
	chat.dismiss(websocket.StatusGoingAway)
	anna.see(reconnecting, `document.getElementById('explanation').innerText.includes('restarting')`)
}

func testFinalClose(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	for n, code := range []websocket.StatusCode{1002, 1007, 1009, 4500} {
		chat.dismiss(code)
		anna.see(ended)
		anna.run(`dispatchEvent(new Event('online'))`)
		anna.check(ended, `document.getElementById('retry').innerText === 'Connect again'`)
		if got := chat.handshakes(); got != n+1 {
			t.Fatalf("%d handshakes after close %d, want %d", got, code, n+1)
		}
		anna.do(chromedp.Click(chromedp.CSS("#retry")))
		anna.see(idle, focusedField)
	}
}

func testHeld(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	chat.dismiss(4429)
	anna.see(reconnecting)
	anna.check(`document.getElementById('retry').hidden`,
		`((seconds) => seconds >= 10 && seconds <= 60)(document.getElementById('explanation').innerText.match(/\d+/)[0])`)
	anna.run(`dispatchEvent(new Event('online'))`)
	anna.check(reconnecting, `document.getElementById('retry').hidden`)
	if got := chat.handshakes(); got != 1 {
		t.Errorf("%d handshakes: the pause was not kept", got)
	}
}

func testRefused(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	// What cannot be done is not shown as being done.
	anna.run(`const send = WebSocket.prototype.send;
		WebSocket.prototype.send = function () { send.call(this, '\x1e{"type":'); WebSocket.prototype.send = send; }`)
	anna.press()
	anna.see(idle, warning("The server could not do that"))

	// What the rate limit swallowed is asked again.
	anna.run(`const send = WebSocket.prototype.send;
		WebSocket.prototype.send = () => { WebSocket.prototype.send = send; };
		const later = setTimeout;
		window.setTimeout = (f, ms) => later(f, ms / 20)`)
	anna.press()
	anna.see(looking)
	chat.tell(fields{"type": "error", "code": "rate_limited", "message": "too many messages"})
	anna.see(warning("That was a little fast"))
	ben.press()
	ben.see(chatting)
	anna.see(chatting)

	// What is not known is passed over, and so is what cannot be read.
	chat.tell(fields{"type": "weather", "wind": 7})
	chat.send(websocket.MessageText, []byte("\x1e{\x1e[]\n\x1enull\x1e{\"type\":\"left\",\"pair\":7}\n\x1e"))
	ben.say("still here")
	anna.see(last("stranger", "still here"))
	anna.check(chatting)
}
