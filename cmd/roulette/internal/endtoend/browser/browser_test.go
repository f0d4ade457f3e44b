package browser

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/web/browsertest"
)

// visitor is somebody who has the page of the real server open in a real
// browser.
type visitor struct {
	t   *testing.T
	tab context.Context
}

func visit(t *testing.T, p *program.Process) visitor {
	t.Helper()
	v := visitor{t, browsertest.Shared(t)}
	browsertest.Do(t, v.tab, chromedp.Navigate("http://"+p.Addr))
	v.sees(state("idle"))
	return v
}

func (v visitor) sees(conditions ...string) {
	v.t.Helper()
	for _, c := range conditions {
		browsertest.Do(v.t, v.tab, browsertest.Wait(c))
	}
}

// presses presses Esc, when the controls have been what they are for a moment.
func (v visitor) presses() {
	v.t.Helper()
	v.sees(`!('fresh' in document.documentElement.dataset)`)
	browsertest.Do(v.t, v.tab, browsertest.Escape())
}

func (v visitor) types(text string) {
	v.t.Helper()
	browsertest.Do(v.t, v.tab, browsertest.Type(text))
}

func (v visitor) says(text string) {
	v.t.Helper()
	v.types(text)
	browsertest.Do(v.t, v.tab, browsertest.Enter())
	v.sees(lastLine("you", text))
}

func state(name string) string {
	return fmt.Sprintf("document.documentElement.dataset.state === %q", name)
}

// lastLine is the condition that the last line of the log is a message of this
// one, with this text.
func lastLine(who, text string) string {
	return fmt.Sprintf(`((line) => line?.classList.contains(%q) && line.querySelector('.text')?.textContent === %q)
		(document.getElementById('log').lastElementChild)`, who, text)
}

const typing = `!document.getElementById('typing').hidden`

// pair lets two visitors, of whom the first may look already, find each other.
func pair(first, second visitor) {
	first.t.Helper()
	first.presses()
	first.sees(state("looking"))
	second.presses()
	second.sees(state("chatting"))
	first.sees(state("chatting"))
}

func TestStrangersInTheBrowser(t *testing.T) {
	browsertest.Ready(t)
	p := program.Serve(t)
	anna, ben := visit(t, p), visit(t, p)
	pair(anna, ben)
	anna.types("Hello")
	ben.sees(typing)
	browsertest.Do(t, anna.tab, browsertest.Enter())
	ben.sees(lastLine("stranger", "Hello"), "!("+typing+")")
	ben.says("Hello yourself ☂")
	anna.sees(lastLine("stranger", "Hello yourself ☂"))

	t.Run("hostile text", func(t *testing.T) {
		for _, text := range []string{
			`<img src=x onerror="document.title='gotcha'"><script>document.title='gotcha'</script>`,
			"\u202egnp.exe\u202c", strings.Repeat("x", 60_000),
			"\x1e" + `{"type":"left","pair":1,"reason":"next"}`, // typed, the separator is no part of a message
		} {
			stranger := servertest.Dial(t, p.Addr, "/ws")
			carl := visit(t, p)
			carl.presses()
			carl.sees(state("chatting"))
			stranger.Write(servertest.Encode(servertest.Fin|servertest.OpText, text))
			stranger.Write(servertest.Encode(servertest.Fin|servertest.OpText, "that was it"))
			carl.sees(lastLine("stranger", "that was it"), state("chatting"), `document.title !== 'gotcha'`,
				`document.querySelector('#log img, #log script') === null`,
				`document.documentElement.scrollWidth <= innerWidth`)
			stranger.TCP.Close()
			carl.sees(state("left"))
			browsertest.Do(t, carl.tab, chromedp.Navigate("about:blank"))
		}
	})

	t.Run("one goes on, and two others come", func(t *testing.T) {
		anna.clicks("#next") // Esc twice would have to be within a second
		anna.sees(state("looking"))
		ben.sees(state("left"))
		carl, dora := visit(t, p), visit(t, p)
		carl.presses()
		anna.sees(state("chatting"))
		carl.sees(state("chatting"))
		ben.presses()
		ben.sees(state("looking"))
		dora.presses()
		ben.sees(state("chatting"))
		ben.says("And who are you?")
		dora.sees(lastLine("stranger", "And who are you?"))
		anna.says("Hello again")
		carl.sees(lastLine("stranger", "Hello again"))
	})

	t.Run("one closes, and the survivor meets a third", func(t *testing.T) {
		ben.clicks("#stop")
		ben.sees(state("idle"))
		erin := visit(t, p)
		erin.presses()
		erin.sees(state("looking"))
		anna.clicks("#next")
		anna.sees(state("chatting"))
		erin.sees(state("chatting"))
		erin.says("You are the third")
		anna.sees(lastLine("stranger", "You are the third"))
	})
}

// TestServerRestartUnderAChat kills the server under an open page and starts it
// again: the page says so, and comes back by itself.
func TestServerRestartUnderAChat(t *testing.T) {
	browsertest.Ready(t)
	p := program.Launch{Args: []string{"--listen", "127.0.0.1:" + program.FreePort(t)}}.Run(t)
	p.Addr = p.Await(t, program.Listening)
	anna, ben := visit(t, p), visit(t, p)
	pair(anna, ben)
	anna.says("still there?")
	ben.sees(lastLine("stranger", "still there?"))
	anna.types("a draft")
	p.Kill(t)
	anna.sees(state("reconnecting"))
	ben.sees(state("reconnecting"))
	again := program.Launch{Args: []string{"--listen", p.Addr}}.Run(t)
	again.Await(t, program.Listening)
	for _, v := range []visitor{anna, ben} {
		v.sees(`!["reconnecting", "connecting"].includes(document.documentElement.dataset.state)`)
	}
	anna.sees(`document.getElementById('field').value === "a draft"`)
	for _, v := range []visitor{anna, ben} {
		browsertest.Do(t, v.tab, chromedp.Navigate("about:blank"))
	}
	again.Stop(t)
}
