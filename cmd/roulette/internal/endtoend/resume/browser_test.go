package resume

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/web/browsertest"
)

// visitor is somebody who has the page of the real server open in a real browser.
type visitor struct {
	t   *testing.T
	tab context.Context
}

func (v visitor) opens(addr string) {
	v.t.Helper()
	browsertest.Do(v.t, v.tab, chromedp.Navigate("http://"+addr))
}

func (v visitor) sees(conditions ...string) {
	v.t.Helper()
	for _, c := range conditions {
		browsertest.Do(v.t, v.tab, browsertest.Wait(c))
	}
}

func (v visitor) says(text string) {
	v.t.Helper()
	browsertest.Do(v.t, v.tab, browsertest.Type(text), browsertest.Enter())
}

func (v visitor) runs(statements string) {
	v.t.Helper()
	browsertest.Do(v.t, v.tab, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := chromedp.Evaluate[bool]("(() => {"+statements+"; return true})()")(ctx, tab)
		return err
	}))
}

func state(name string) string {
	return fmt.Sprintf("document.documentElement.dataset.state === %q", name)
}

// said is the condition that these, and no others, are the messages of one in the log,
// in this order.
func said(who string, texts ...string) string {
	list, _ := json.Marshal(append([]string{}, texts...))
	return fmt.Sprintf(`JSON.stringify([...document.querySelectorAll('#log .%s .text')].map((text) => text.textContent)) === %q`, who, list)
}

// delivered is the condition that all of one's own messages are.
const delivered = `[...document.querySelectorAll('#log .you')].every((message) => message.classList.contains('delivered'))`

// noted is the condition that a line of nobody's in the log contains text.
func noted(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('#log .note')].some((note) => note.textContent.includes(%q))`, text)
}

const (
	reconnecting = `!document.getElementById('away').hidden && document.getElementById('away').textContent === 'reconnecting…'`
	strangerIn   = `document.getElementById('away').hidden`
)

// meet are two people who chat, the first one over the way to the server at addr.
func meet(t *testing.T, addr, server string) (anna, ben visitor) {
	t.Helper()
	browser := browsertest.Start(t)
	return meetIn(t, browsertest.NewPerson(t, browser), browsertest.NewPerson(t, browser), addr, server)
}

func meetIn(t *testing.T, first, second context.Context, addr, server string) (anna, ben visitor) {
	t.Helper()
	anna, ben = visitor{t, first}, visitor{t, second}
	anna.opens(addr)
	ben.opens(server)
	for _, v := range []visitor{anna, ben} {
		v.sees(state("idle"), `!('fresh' in document.documentElement.dataset)`)
		v.runs(`document.getElementById('go').click()`)
	}
	anna.sees(state("chatting"))
	ben.sees(state("chatting"))
	return anna, ben
}

// TestReload: a page that is loaded again in mid-sentence goes on with its chat.
func TestReload(t *testing.T) {
	p := program.Serve(t)
	anna, ben := meet(t, p.Addr, p.Addr)
	anna.says("one")
	ben.says("uno")
	anna.sees(said("stranger", "uno"))
	browsertest.Do(t, anna.tab, browsertest.Type("what I wanted to s"), chromedp.Reload())
	anna.sees(state("chatting"), `document.getElementById('field').value === 'what I wanted to s'`,
		said("you", "one"), said("stranger", "uno"))
	ben.says("due")
	anna.sees(said("stranger", "uno", "due"), noted("Nothing is missing"))
	browsertest.Do(t, anna.tab, browsertest.Type("ay"), browsertest.Enter())
	ben.sees(said("stranger", "one", "what I wanted to say"), strangerIn, noted("Nothing is missing"))
	anna.sees(said("you", "one", "what I wanted to say"), delivered)
	ben.sees(delivered)

	// Twice at once, and again without anything in between.
	for range 3 {
		browsertest.Do(t, anna.tab, chromedp.Reload())
	}
	anna.sees(state("chatting"), said("stranger", "uno", "due"))
	anna.says("still me")
	ben.sees(said("stranger", "one", "what I wanted to say", "still me"))
	// When the chat is over, so is what was kept of it.
	anna.sees(`!('fresh' in document.documentElement.dataset)`)
	anna.runs(`document.getElementById('stop').click()`)
	ben.sees(state("left"))
	anna.sees(`Object.keys(sessionStorage).length === 0`)
	browsertest.Do(t, anna.tab, chromedp.Reload())
	anna.sees(state("idle"), said("you"))
}

// TestTwoTabs: of two tabs with one token the newer one goes on, and the older says so.
func TestTwoTabs(t *testing.T) {
	p := program.Serve(t)
	anna, ben := meet(t, p.Addr, p.Addr)
	anna.says("one")
	ben.sees(said("stranger", "one"))
	anna.sees(delivered)
	var kept string
	browsertest.Do(t, anna.tab, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) (err error) {
		kept, err = chromedp.Evaluate[string](`JSON.stringify(sessionStorage)`)(ctx, tab)
		return err
	}))
	copied := visitor{t, browsertest.NewPerson(t, anna.tab)}
	copied.opens(p.Addr + "/robots.txt")
	copied.runs(fmt.Sprintf(`for (const [key, value] of Object.entries(JSON.parse(%q))) sessionStorage.setItem(key, value)`, kept))
	copied.opens(p.Addr)
	copied.sees(state("chatting"), said("you", "one"))
	anna.sees(state("ended"), noted("The chat goes on in another window."))
	copied.says("two")
	ben.sees(said("stranger", "one", "two"))
}

// TestCutsInTheBrowser: the connection of a page is cut behind some byte of its chat, and
// again during the return; each message is shown once, by both, and said to be delivered.
func TestCutsInTheBrowser(t *testing.T) {
	p := program.Serve(t)
	way := newCutter(t, p.Addr)
	anna, ben := meet(t, way.addr, p.Addr)
	var mine, theirs []string
	for i, after := range []int{1, 20, 77, 130, 200, 256, 300, 411, 500, 640} {
		way.mu.Lock()
		way.plan = []cut{{up: i%2 == 0, after: 600 + after}, {up: i%3 == 0, after: 900 + after}}
		way.mu.Unlock()
		way.cutAll()
		for n := range 2 {
			mine = append(mine, fmt.Sprintf("a%d.%d", i, n))
			anna.says(mine[len(mine)-1])
			theirs = append(theirs, fmt.Sprintf("b%d.%d", i, n))
			ben.says(theirs[len(theirs)-1])
		}
		ben.sees(said("stranger", mine...))
		anna.sees(said("stranger", theirs...))
	}
	anna.sees(said("you", mine...), delivered)
	ben.sees(said("you", theirs...), delivered)
}

// TestOffline: what both say while one of them has no network arrives afterwards; and
// when the chat cannot be resumed any more, each message says so.
func TestOffline(t *testing.T) {
	p := program.Serve(t, "--resume-grace=2s")
	way := newCutter(t, p.Addr)
	anna, ben := meet(t, way.addr, p.Addr)
	way.block(true)
	way.cutAll()
	anna.sees(state("reconnecting"), `document.getElementById('explanation').textContent !== ''`)
	anna.says("into the void")
	ben.sees(reconnecting)
	ben.says("are you there?")
	ben.sees(`document.querySelector('.you .mark').title === 'On its way'`)
	way.block(false)
	anna.runs(`document.getElementById('retry').click()`)
	anna.sees(said("stranger", "are you there?"), delivered, state("chatting"))
	ben.sees(said("stranger", "into the void"), strangerIn, delivered)

	way.block(true)
	way.cutAll()
	anna.sees(state("reconnecting"))
	anna.says("too late")
	ben.sees(state("left"), noted("The stranger’s connection was lost."))
	way.block(false)
	anna.sees(state("left"), noted("The chat could not be brought back. It is over."))
	anna.sees(`document.querySelector('.you.undelivered .text').textContent === 'too late'`, `document.querySelectorAll('.you.undelivered').length === 1`)
	anna.runs(`document.querySelector('.again').click()`)
	anna.sees(`document.getElementById('field').value === 'too late'`)
}

// TestFrozenTab: a tab that the browser freezes, and that is thrown out for it or not,
// has its chat when it is looked at again.
func TestFrozenTab(t *testing.T) {
	p := program.Serve(t)
	// Alone in its browser, a tab stays what it is made here.
	anna, ben := meetIn(t, browsertest.Start(t), browsertest.Start(t), p.Addr, p.Addr)
	ben.says("before")
	anna.sees(said("stranger", "before"))
	lifecycle := func(state page.SetWebLifecycleStateState) {
		browsertest.Do(t, anna.tab, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: state})
			return err
		}))
	}
	lifecycle(page.SetWebLifecycleStateStateFrozen)
	ben.sees("!(" + strangerIn + ")")
	ben.says("while you slept")
	lifecycle(page.SetWebLifecycleStateStateActive)
	anna.sees(state("chatting"), said("stranger", "before", "while you slept"))
	anna.says("good morning")
	// Whether the tab counts as visible again is for the browser to say.
	ben.sees(said("stranger", "good morning"), strangerIn+` || document.getElementById('away').textContent === 'not looking at this chat right now'`)
}

// TestKilledUnderPages: the server is killed under two pages, and starts again.
func TestKilledUnderPages(t *testing.T) {
	launch := program.Launch{Args: []string{"--listen", "127.0.0.1:" + program.FreePort(t), "--state-dir", filepath.Join(t.TempDir(), "state")}}
	p := launch.Run(t)
	addr := p.Await(t, program.Listening)
	anna, ben := meet(t, addr, addr)
	anna.says("before")
	ben.sees(said("stranger", "before"))
	p.Kill(t)
	for _, v := range []visitor{anna, ben} {
		v.sees(state("reconnecting"))
		v.says("while it is gone")
	}
	launch.Run(t).Await(t, program.Listening)
	anna.sees(state("chatting"), said("stranger", "while it is gone"), delivered)
	ben.sees(state("chatting"), said("stranger", "before", "while it is gone"), delivered)
}
