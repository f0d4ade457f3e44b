package browser

import (
	"testing"

	"github.com/chromedp/chromedp"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/web/browsertest"
)

// page is a tab of either browser.
type page interface {
	open(url string)
	sees(condition string)
	runs(statements string)
}

type chromium struct{ visitor }

func (c chromium) open(url string)       { browsertest.Do(c.t, c.tab, chromedp.Navigate(url)) }
func (c chromium) sees(condition string) { c.visitor.sees(condition) }
func (c chromium) runs(statements string) {
	browsertest.Do(c.t, c.tab, chromedp.Evaluate[chromedp.Void]("{"+statements+"}; 0"))
}

type firefox struct{ *browsertest.Firefox }

func (f firefox) open(url string)        { f.Navigate(url) }
func (f firefox) sees(condition string)  { f.Wait(condition) }
func (f firefox) runs(statements string) { f.Run(statements) }

// TestFullServer: with two places, both taken, the page is there as a whole, says that the
// server is full, stays at its address, tries again by itself, and gets in when somebody
// leaves; and the browser's spare sockets keep nobody out.
func TestFullServer(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) page{
		"Chromium": func(t *testing.T) page { return chromium{visitor{t, browsertest.Shared(t)}} },
		"Firefox":  func(t *testing.T) page { return firefox{browsertest.StartFirefox(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			tab := start(t)
			p := program.Launch{Args: []string{"--max-connections", "2"}}.Serve(t)
			first, second := servertest.Dial(t, p.Addr, "/ws"), servertest.Dial(t, p.Addr, "/ws")
			tab.open("http://" + p.Addr + "/#table=ours")
			tab.sees(state("reconnecting") + ` && document.getElementById('explanation').innerText.startsWith('The server is full') &&
				/\d/.test(document.getElementById('explanation').innerText)`)
			tab.sees(`location.hash === '#table=ours' && getComputedStyle(document.querySelector("#go")).minHeight !== "auto" &&
				performance.getEntriesByType('resource').every(({ name }) => !/\.(js|css)$/.test(name))`)
			first.Leave()
			tab.runs(`window.same = true; dispatchEvent(new Event('online'))`) // a hint: its own clock would take its time
			tab.sees(state("idle") + ` && window.same && location.hash === '#table=ours'`)

			// The other place is free as well, whatever sockets the browser keeps.
			second.Leave()
			third := servertest.Dial(t, p.Addr, "/ws")
			third.Leave()
			tab.open("about:blank")
		})
	}
}
