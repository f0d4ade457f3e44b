package web_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"roulette/web/browsertest"
)

// person is somebody who has the page open.
type person struct {
	t   *testing.T
	tab context.Context
}

// crowd is the people of one test, used by one part of it after the other: a new one
// costs more than most of the parts. Every part has a server of its own, so a page
// finds nothing that another has stored.
type crowd struct {
	t *testing.T // outlives all who use the crowd

	// Guarded by mu.
	mu   sync.Mutex
	free []context.Context
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	return &crowd{t: t}
}

// visit opens the page of chat for somebody, and waits until it is in state.
func (c *crowd) visit(t *testing.T, chat *fakeChat, state string) person {
	t.Helper()
	p := c.enter(t)
	p.do(chromedp.Navigate(chat.url), browsertest.Wait(state))
	return p
}

// enter is somebody who has no page open yet.
func (c *crowd) enter(t *testing.T) person {
	t.Helper()
	p := person{t, c.take()}
	t.Cleanup(func() {
		p.do(chromedp.Navigate("about:blank"))
		c.mu.Lock()
		defer c.mu.Unlock()
		c.free = append(c.free, p.tab)
	})
	p.do(chromedp.EmulateViewport(800, 600))
	return p
}

// beforeLoad runs a script in every document of the tab before any of its own, until the
// test is over.
func (p person) beforeLoad(script string) {
	p.t.Helper()
	browsertest.BeforeLoad(p.t, p.tab, script)
}

func (c *crowd) take() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := len(c.free) - 1; last >= 0 {
		tab := c.free[last]
		c.free = c.free[:last]
		return tab
	}
	return browsertest.Shared(c.t)
}

// What Wait and check ask of the page. A state is shown in three places at once.
var (
	idle     = inState("idle", "Ready")
	looking  = inState("looking", "Looking…")
	chatting = inState("chatting", "Chatting")
	left     = inState("left", "Stranger left")

	reconnecting = inState("reconnecting", "Reconnecting…")
	ended        = inState("ended", "Disconnected")
)

const (
	atEnd        = `((s) => s.scrollHeight - s.scrollTop - s.clientHeight < 2)(document.getElementById('scroller'))`
	emptyField   = `document.getElementById('field').value === ''`
	focusedField = `document.activeElement === document.getElementById('field')`
	sendable     = `document.getElementById('send').getAttribute('aria-disabled') === 'false'`
	settled      = `!('fresh' in document.documentElement.dataset)`
	unsendable   = `document.getElementById('send').getAttribute('aria-disabled') === 'true'`
)

// inState is the condition that the page is in a state and says so.
func inState(state, text string) string {
	return fmt.Sprintf(`document.documentElement.dataset.state === %q && document.getElementById('status').innerText === %q`, state, text)
}

// button is the condition that the buttons say this, one after the other.
func button(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('.bar > button')].filter((button) => !button.hidden).map((button) => button.querySelector('span').textContent).join(' ') === %q`, text)
}

// warning is the condition that the line below the field begins with this.
func warning(text string) string {
	return fmt.Sprintf(`document.getElementById('warning').innerText.startsWith(%q)`, text)
}

// last is the condition that the last line of the log has this class and text.
func last(class, text string) string {
	return fmt.Sprintf(`((line) => line?.classList.contains(%q) &&
		(line.querySelector('.text') ?? line).textContent === %q)(document.getElementById('log').lastElementChild)`, class, text)
}

// noted is the condition that a line of the log which nobody said has this text.
func noted(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('.note')].some((note) => note.textContent === %q)`, text)
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

// ask returns what a JavaScript expression is, a string.
func (p person) ask(expression string) (answer string) {
	p.t.Helper()
	evaluate := chromedp.Evaluate[string](expression)
	p.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) (err error) {
		answer, err = evaluate(ctx, tab)
		return err
	}))
	return answer
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

// failToSend writes where nothing can be sent: the draft survives, and says why.
func (p person) failToSend(text string) {
	p.t.Helper()
	p.write(text)
	p.do(browsertest.Enter())
	p.check(fmt.Sprintf(`document.getElementById('field').value === %q`, text),
		`document.getElementById('warning').innerText.startsWith('Not sent')`,
		`document.getElementById('send').getAttribute('aria-disabled') === 'true'`,
		`document.querySelectorAll('.message').length === 0`)
}

// press presses Esc, when the controls have been what they are for a moment.
func (p person) press() {
	p.t.Helper()
	p.see(settled)
	p.do(browsertest.Escape())
}

// goOn presses Next, as Esc does when it is pressed twice: in one moment, however long
// this machine takes for a key.
func (p person) goOn() {
	p.t.Helper()
	p.see(settled)
	p.run(escTwice)
	p.see(looking + " || " + chatting)
}

// escTwice is two presses of Esc.
const escTwice = `for (let n = 0; n < 2; n++) document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true }));`

// leave presses Stop.
func (p person) leave() {
	p.t.Helper()
	p.see(settled)
	p.do(chromedp.Click(chromedp.CSS("#stop")))
	p.see(idle)
}

// meet lets two people who are alone find each other.
func meet(anna, ben person) {
	anna.t.Helper()
	anna.press()
	anna.see(looking)
	ben.press()
	ben.see(chatting)
	anna.see(chatting)
}
