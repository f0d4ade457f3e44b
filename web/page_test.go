package web_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"roulette/web/browsertest"
)

// person is somebody who has the page open.
type person struct {
	t   *testing.T
	tab context.Context
}

// TestPage runs the page in a real browser against a real, if simple, server. The
// browser is shared, the people and the server are each test's own.
func TestPage(t *testing.T) {
	browser := browsertest.Start(t)
	for _, test := range []struct {
		name string
		run  func(t *testing.T, chat *fakeChat, enter func() person)
	}{
		{"two people talk", testTalk},
		{"nobody there", testNobodyThere},
		{"hostile text is text", testHostileText},
		{"keys", testKeys},
		{"reading back", testReadingBack},
		{"the server drops and comes back", testDrop},
		{"the network comes back", testOnline},
		{"a restart", testRestart},
		{"a final close", testFinalClose},
		{"too many messages", testHeld},
		{"too big a message", testTooBig},
		{"binary", testBinary},
		{"the client library", testLibrary},
	} {
		t.Run(test.name, func(t *testing.T) {
			chat := newFakeChat(t)
			test.run(t, chat, func() person {
				t.Helper()
				p := person{t, browsertest.NewPerson(t, browser)}
				p.do(chromedp.Navigate(chat.url), browsertest.Wait(connected))
				return p
			})
		})
	}
}

// What Wait and check ask of the page.
const (
	connected    = `document.documentElement.dataset.state === 'connected' && document.getElementById('status').innerText === 'Connected'`
	reconnecting = `document.documentElement.dataset.state === 'reconnecting' && document.getElementById('status').innerText === 'Reconnecting…'`
	ended        = `document.documentElement.dataset.state === 'ended' && document.getElementById('status').innerText === 'Disconnected'`
	atEnd        = `((s) => s.scrollHeight - s.scrollTop - s.clientHeight < 2)(document.getElementById('scroller'))`
	emptyField   = `document.getElementById('field').value === ''`
	focusedField = `document.activeElement === document.getElementById('field')`
)

// last is the condition that the last line of the log has this class and text.
func last(class, text string) string {
	return fmt.Sprintf(`((line) => line?.classList.contains(%q) &&
		(line.querySelector('.text') ?? line).textContent === %q)(document.getElementById('log').lastElementChild)`, class, text)
}

func (p person) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	browsertest.Do(p.t, p.tab, steps...)
}

// see waits until each of the conditions is true.
func (p person) see(conditions ...string) {
	p.t.Helper()
	for _, condition := range conditions {
		p.do(browsertest.Wait(condition))
	}
}

// check asks for what must be true now.
func (p person) check(conditions ...string) {
	p.t.Helper()
	for _, condition := range conditions {
		p.run(fmt.Sprintf(`if (!(%s)) throw new Error("not so: " + %q)`, condition, condition))
	}
}

// run runs JavaScript statements in the page, which may await.
func (p person) run(statements string) {
	p.t.Helper()
	script := "(async () => {" + statements + "})()"
	p.do(chromedp.Evaluate[chromedp.Void](script, chromedp.EvalAwaitPromise))
}

// write types into the field, which has the focus unless the page took it away.
func (p person) write(text string) {
	p.t.Helper()
	p.do(browsertest.Type(text))
}

func (p person) say(text string) {
	p.t.Helper()
	p.write(text)
	p.do(browsertest.Enter())
	p.see(last("you", text), emptyField, focusedField)
}

func testTalk(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	anna.check(focusedField, `document.getElementById('log').childElementCount === 0`)

	anna.say("Hello, whoever you are")
	ben.see(last("stranger", "Hello, whoever you are"))
	ben.say("Grüß Gott 👋")
	anna.see(last("stranger", "Grüß Gott 👋"))

	// In words, for those who see no colours, and with the time.
	anna.check(
		`document.querySelector('.message.you .who').innerText === 'You'`,
		`document.querySelector('.message.stranger .who').innerText === 'Stranger'`,
		`/\d/.test(document.querySelector('.message time').innerText)`,
		`!isNaN(Date.parse(document.querySelector('.message time').dateTime))`,
		`document.querySelector('[role=log]').childElementCount === 2`,
	)

	// The button does what Enter does, and leaves the focus in the field.
	anna.write("by button")
	anna.do(chromedp.Click(chromedp.CSS("#send")))
	anna.see(last("you", "by button"), emptyField, focusedField)
	ben.see(last("stranger", "by button"))
}

func testNobodyThere(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	anna.write("Hello?")
	anna.do(browsertest.Enter())
	anna.see(last("note", noPartner))
	anna.check(`document.querySelectorAll('.stranger').length === 0`)
}

func testHostileText(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	for _, text := range []string{
		`<img src="x" onerror="document.title = 'owned'">`,
		`<script>document.title = 'owned'</script>`,
		"\u202e gnirts desrever \u2066 and \u2067 isolates",
		`{"type":"left"}`,
	} {
		anna.say(text)
		ben.see(last("stranger", text))
	}

	long := strings.Repeat("W", 64<<10)
	anna.do(chromedp.SetValue(chromedp.CSS("#field"), long), browsertest.Enter())
	ben.see(fmt.Sprintf(`document.getElementById('log').lastElementChild.querySelector('.text').textContent.length === %d`, len(long)))

	for _, p := range []person{anna, ben} {
		p.check(
			`document.querySelectorAll('#log :is(img, script)').length === 0`,
			`document.title.startsWith('Roulette')`,
			`document.documentElement.scrollWidth <= innerWidth`,
			`document.getElementById('scroller').scrollWidth <= document.getElementById('scroller').clientWidth`,
			// The override ends with its own text: the time stays where it belongs, and readable.
			`[...document.querySelectorAll('.bubble time')].every((time) => getComputedStyle(time).direction === 'ltr')`,
		)
	}
}

func testKeys(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()

	anna.write("first line")
	anna.do(browsertest.Enter(chromedp.ModifierShift))
	anna.write("second line")
	anna.check(`document.getElementById('field').value === 'first line\nsecond line'`,
		`document.getElementById('field').clientHeight > 60`) // it grew
	anna.do(browsertest.Enter())
	ben.see(last("stranger", "first line\nsecond line"))

	// While an input method composes, Enter is its own: it chooses a candidate.
	anna.write("かな")
	anna.run(`const field = document.getElementById('field');
		for (const how of [{ isComposing: true }, { keyCode: 229 }]) {
			const event = new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...how });
			if (!field.dispatchEvent(event)) throw new Error('the key was taken');
		}`)
	anna.check(`document.getElementById('field').value === 'かな'`)
	anna.do(browsertest.Enter())
	ben.see(last("stranger", "かな"))

	// Nothing but space is nothing.
	anna.write("   ")
	anna.do(browsertest.Enter())
	anna.check(`document.querySelectorAll('.message').length === 2`)
}

func testReadingBack(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	long := strings.Repeat("a long story ", 300)
	anna.do(chromedp.SetValue(chromedp.CSS("#field"), long), browsertest.Enter())
	ben.see(`document.querySelectorAll('.message').length === 1`)
	ben.see(atEnd)

	// Nor does another layout: a phone is turned, its keyboard opens and closes.
	for _, size := range [][2]int64{{390, 844}, {844, 390}, {390, 420}, {390, 844}} {
		ben.do(chromedp.EmulateViewport(size[0], size[1]))
		ben.see(fmt.Sprintf("innerWidth === %d && innerHeight === %d", size[0], size[1]), atEnd)
	}

	// Whoever reads back is not torn away, but told.
	ben.run(`const frame = () => new Promise(requestAnimationFrame);
		await frame(), await frame(); // the layout of the last size is done
		const scroller = document.getElementById('scroller');
		const scrolled = new Promise((resolve) => scroller.addEventListener('scroll', resolve, { once: true }));
		scroller.scrollTop = 0;
		await scrolled`)
	anna.say("and then")
	ben.see(last("stranger", "and then"), `!document.getElementById('jump').hidden`)
	ben.check(`document.getElementById('scroller').scrollTop === 0`)
	ben.do(chromedp.Click(chromedp.CSS("#jump")))
	ben.see(atEnd, `document.getElementById('jump').hidden`)
}

func testDrop(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	chat.refuse(true)
	chat.cut()
	anna.see(reconnecting, `!document.getElementById('notice').hidden`, last("note", "The connection was lost."))

	// The draft survives, and says why it was not sent.
	anna.write("still here?")
	anna.do(browsertest.Enter())
	anna.check(`document.getElementById('field').value === 'still here?'`,
		`document.getElementById('warning').innerText.startsWith('Not sent')`,
		`document.getElementById('send').getAttribute('aria-disabled') === 'true'`,
		`document.querySelectorAll('.message').length === 0`)

	chat.refuse(false)
	anna.see(connected, `document.getElementById('notice').hidden`)
	ben := enter()
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
	anna.see(connected, last("note", "Connected again. Whoever answers now may be someone new."))

	chat.refuse(true)
	chat.cut()
	anna.see(reconnecting)
	chat.refuse(false)
	anna.see(`!document.getElementById('retry').hidden`)
	anna.run(`document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))`)
	anna.see(connected)

	chat.refuse(true)
	chat.cut()
	anna.see(reconnecting)
	chat.refuse(false)
	anna.see(`!document.getElementById('retry').hidden`)
	anna.run(`document.getElementById('retry').click()`) // the mouse could come too late: it tries by itself
	anna.see(connected, focusedField)
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
		anna.see(connected, focusedField)
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

func testTooBig(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	anna.do(chromedp.SetValue(chromedp.CSS("#field"), strings.Repeat("ü", 32<<10+1)), browsertest.Enter())
	anna.see(`document.getElementById('warning').innerText.startsWith('Not sent: this is longer')`)
	anna.check(connected, `document.getElementById('field').value !== ''`)
}

func testBinary(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	for _, conn := range chat.all() {
		if err := conn.Write(t.Context(), websocket.MessageBinary, make([]byte, 1234)); err != nil {
			t.Fatal(err)
		}
	}
	anna.see(`document.querySelector('.note')?.innerText.includes('1,234 bytes')`)
}

// testLibrary calls roulette.js as another page would.
func testLibrary(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	anna.run(`const { chatURL, mayReconnect, retryDelay, Roulette } = await import('/roulette.js');
		const equal = (got, want, what) => {
			if (!Object.is(got, want)) throw new Error(what + ': ' + got + ', want ' + want);
		};
		equal(chatURL('http://chat.example:8080/a/b?c#d'), 'ws://chat.example:8080/ws', 'http');
		equal(chatURL('https://chat.example/'), 'wss://chat.example/ws', 'https');

		for (const code of [1001, 1005, 1006, 1011, 1012, 1013, 4400, 4408, 4429, 4453, 4499]) {
			equal(mayReconnect(code), true, code);
		}
		for (const code of [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 4000, 4500, 4599]) {
			equal(mayReconnect(code), false, code);
			equal(retryDelay(code, 0), Infinity, code);
		}

		// The wait doubles up to a bound, and is spread over all of it.
		for (const [attempts, longest] of [[0, 1000], [1, 2000], [4, 16000], [5, 30000], [2000, 30000]]) {
			equal(retryDelay(1006, attempts, () => 1), longest, 'longest wait after ' + attempts);
			equal(retryDelay(1006, attempts, () => 0), 100, 'shortest wait after ' + attempts);
		}
		equal(retryDelay(1001, 0, () => 1), 5000, 'a drain');
		equal(retryDelay(4429, 0, () => 0), 10000, 'rate limit, shortest');
		equal(retryDelay(4429, 9, () => 1), 60000, 'rate limit, longest');

		// One life, from idle to idle.
		const states = [];
		const chat = new Roulette();
		equal(chat.state, 'idle', 'at first');
		equal(chat.send('too early'), false, 'sending while idle');
		const connected = new Promise((resolve) => chat.addEventListener('state', () => {
			states.push(chat.state);
			if (chat.state === 'connected') resolve();
		}));
		chat.connect();
		chat.connect(); // no second socket
		await connected;
		equal(chat.send('hello'), true, 'sending');
		chat.close();
		equal(chat.send('too late'), false, 'sending after close');
		equal(states.join(), 'connecting,connected,idle', 'states')`)
	anna.see(last("stranger", "hello"))
	if got := chat.handshakes(); got != 2 {
		t.Errorf("%d handshakes, want one of the page and one of the script", got)
	}
}
