package browser

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/web/browsertest"
)

// TestEntry: whoever is invited to a table reads the rules first, agrees, and is at the
// table; not again at the next visit.
func TestEntry(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "rules.txt")
	if err := os.WriteFile(rules, []byte(`You talk to people whom nobody has looked at.

# Rules
- Be kind, and leave when somebody is not.
- Nothing that would hurt whoever reads it.
- No advertisements.`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, start := range map[string]func(t *testing.T) page{
		"Chromium": func(t *testing.T) page { return chromium{visitor{t, browsertest.Shared(t)}} },
		"Firefox":  func(t *testing.T) page { return firefox{browsertest.StartFirefox(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			tab := start(t)
			p := program.Serve(t, "--entry", rules, "--terms", rules, "--safety", "on")
			tab.open("http://" + p.Addr + "/#table=ours")
			entry := `document.querySelector('article li')?.innerText.startsWith('Be kind') && document.querySelector('[name=agree]').required &&
				document.documentElement.scrollWidth <= innerWidth && !document.getElementById('scroller')`
			tab.sees(entry)
			if c, ok := tab.(chromium); ok {
				c.pictures("entry")
			}
			tab.runs(`document.querySelector('form button').click()`) // the box is empty
			tab.sees(entry + ` && document.querySelector('[name=agree]:invalid')`)
			tab.runs(`document.querySelector('[name=agree]').click(); document.querySelector('form button').click()`)
			tab.sees(state("idle") + ` && location.hash === '#table=ours'`)
			tab.open("http://" + p.Addr + "/")
			tab.sees(state("idle") + ` && [...document.querySelectorAll('.house a')].map((a) => a.href).join(' ') ===
				location.origin + '/terms ' + location.origin + '/privacy'`)
			for path, says := range map[string]string{"/terms": "How this place works", "/privacy": "What is written down"} {
				tab.open("http://" + p.Addr + path)
				tab.sees(`document.body.innerText.includes('` + says + `') && document.documentElement.scrollWidth <= innerWidth`)
				if c, ok := tab.(chromium); ok {
					c.pictures(path[1:])
				}
			}
			tab.open("about:blank")
		})
	}
}

// pictures are of the page on a phone and on a desk, for somebody to look at.
func (c chromium) pictures(name string) {
	for size, window := range map[string][2]int64{"phone": {390, 844}, "desk": {1280, 800}} {
		browsertest.Do(c.t, c.tab, chromedp.EmulateViewport(window[0], window[1]))
		shot, err := chromedp.CaptureScreenshot()(c.tab, chromedp.FromContext(c.tab).Target)
		if err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(c.t.ArtifactDir(), name+"-"+size+".png"), shot, 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
}
