package browser

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/web/browsertest"
)

func (v visitor) clicks(selector string) {
	v.t.Helper()
	v.sees(`!('fresh' in document.documentElement.dataset)`)
	browsertest.Do(v.t, v.tab, chromedp.Click(chromedp.CSS(selector)))
}

// lastNote is the condition that the last line of the log is nobody's, with this text.
func lastNote(text string) string {
	return `((line) => line?.classList.contains('note') && line.textContent === "` + text + `")(document.getElementById('log').lastElementChild)`
}

// TestCompany: two who want to meet each other, and nobody else, do; who was left by
// mistake can be had back; and who goes to another page has left.
func TestCompany(t *testing.T) {
	browsertest.Ready(t)
	p := program.Serve(t, "--resume-grace=3s")
	anna := visit(t, p)
	anna.presses()
	anna.sees(state("looking"), `document.getElementById('alone').textContent === 'Nobody else is here right now.'`,
		`document.getElementById('online').textContent === '1 person here'`)
	other := visit(t, p)
	anna.clicks("#invite")
	anna.sees(`document.getElementById('link').value.includes('/#table=')`)
	other.presses() // among all the others
	other.sees(state("looking"))

	ben := visitor{t, browsertest.Shared(t)}
	var link string
	value := chromedp.Evaluate[string](`document.getElementById('link').value`)
	browsertest.Do(t, anna.tab, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) (err error) {
		link, err = value(ctx, tab)
		return err
	}))
	browsertest.Do(t, ben.tab, chromedp.Navigate(link))
	ben.sees(state("idle"), `document.querySelector('.intro').innerText.includes('You are invited')`)
	ben.presses()
	ben.sees(state("chatting"))
	anna.sees(state("chatting"), `document.getElementById('online').textContent === '3 people here'`)
	anna.says("You came")
	ben.sees(lastLine("stranger", "You came"))
	other.sees(state("looking"))

	// Next, by mistake.
	anna.clicks("#next")
	anna.sees(state("looking"))
	ben.sees(state("left"))
	anna.clicks("#back")
	ben.sees(`document.getElementById('explanation').textContent === 'The stranger would like to come back.'`)
	ben.clicks("#back")
	anna.sees(state("chatting"))
	ben.sees(state("chatting"))
	ben.says("There you are")
	anna.sees(lastLine("stranger", "There you are"))

	// Whoever goes to another page may come back, for a while.
	browsertest.Do(t, ben.tab, chromedp.Navigate("data:text/html,elsewhere"))
	anna.sees(`document.getElementById('away').textContent === 'reconnecting…'`, `!document.getElementById('away').hidden`)
	anna.sees(state("left"), lastNote("The stranger left."))
}
