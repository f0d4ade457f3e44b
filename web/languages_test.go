package web_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"roulette/web/browsertest"
)

// TestLanguages opens the page with browsers of several languages, on a phone: the
// words are theirs, there is one for everything, and they fit.
func TestLanguages(t *testing.T) {
	t.Parallel()
	chat := newFakeChat(t, false)
	anna := person{t, browsertest.Start(t)}
	anna.do(chromedp.EmulateViewport(390, 844))
	for _, test := range []struct {
		accept, language, start string
	}{
		{"de-AT,en", "de", "Start"},
		{"fr", "fr", "Démarrer"},
		{"es-MX,es", "es", "Empezar"},
		{"pt-BR", "pt", "Começar"},
		{"tr", "tr", "Başla"},
		{"ja", "ja", "開始"},
		{"xx,nl,en-GB,de", "en", "Start"},
		{"xx", "en", "Start"},
	} {
		t.Run(test.accept, func(t *testing.T) {
			anna := person{t, anna.tab}
			anna.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
				_, err := cdp.Call(ctx, tab, emulation.SetUserAgentOverride,
					emulation.SetUserAgentOverrideParams{UserAgent: "test", AcceptLanguage: test.accept})
				return err
			}), chromedp.Navigate(chat.url),
				browsertest.Wait(`document.documentElement.dataset.state === 'idle'`))
			anna.check(button(test.start), fmt.Sprintf(`document.documentElement.lang === %q`, test.language))
			anna.run(`const { words } = await import('/words.js');
				for (const node of document.querySelectorAll('[data-words], [data-label]')) {
					if (typeof words[node.dataset.words ?? node.dataset.label] !== 'string') throw new Error(node.outerHTML);
				}
				// What stands in the document is the English of the table.
				if (document.documentElement.lang === 'en') {
					const page = await (await fetch('/')).text();
					for (const [, key, text] of page.matchAll(/data-words="(\w+)"[^>]*>([^<]*)</g)) {
						if (words[key] !== text) throw new Error(key + ': ' + text);
					}
				}
				const fits = () => {
					for (const node of document.querySelectorAll('header, footer, footer button, #status')) {
						if (node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 0) throw new Error('too narrow: ' + node.outerHTML);
					}
					if (document.documentElement.scrollWidth > innerWidth) throw new Error('wider than the screen');
				};
				for (const kind of ['start', 'stop', 'sure', 'next']) {
					document.getElementById('go-label').textContent = words[kind];
					for (const state of Object.values(words.state)) {
						document.getElementById('status').textContent = state;
						fits();
					}
				}`)
		})
	}
}
