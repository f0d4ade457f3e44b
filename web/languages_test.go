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
	anna := person{t, browsertest.Shared(t)}
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
		{"ar-EG", "ar", "ابدأ"},
		{"hi-IN", "hi", "शुरू"},
		{"id", "id", "Mulai"},
		{"it-CH", "it", "Inizia"},
		{"ko", "ko", "시작"},
		{"pl", "pl", "Start"},
		{"ru", "ru", "Начать"},
		{"uk", "uk", "Почати"},
		{"zh-Hant-TW", "zh", "开始"},
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
				for (const kind of ['start', 'next']) {
					document.getElementById('go-label').textContent = words[kind];
					for (const state of Object.values(words.state)) {
						document.getElementById('status').textContent = state;
						fits();
					}
				}`)
		})
	}
}

// testMalformedLanguages: what a browser says of its languages may be anything, and the
// page starts all the same.
func testMalformedLanguages(t *testing.T, chat *fakeChat, enter func() person) {
	p := enter()
	for _, languages := range []string{
		`['', 'x', '-', 'de_DE@euro', 'a-b-c-d', '\u0000', 'x'.repeat(9999)]`, `[null, 7, {}, ['de']]`, `null`, `undefined`, `'de'`, `{}`, `[]`,
	} {
		p.beforeLoad(fmt.Sprintf(`Object.defineProperty(navigator, 'languages', { configurable: true, get: () => %s });
			Object.defineProperty(navigator, 'language', { configurable: true, get: () => (%s)?.[0] });`, languages, languages))
		p.do(chromedp.Navigate(chat.url), browsertest.Wait(idle))
		p.check(`/\d/.test(document.getElementById('online').innerText)`)
	}
}

// testSwitchLanguage: in the menu, in the middle of a chat, and remembered.
func testSwitchLanguage(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	meet(anna, ben)
	choose := func(language string) {
		anna.run(fmt.Sprintf(`const select = document.getElementById('language');
			select.value = %q;
			select.dispatchEvent(new Event('change'))`, language))
	}
	choose("de")
	anna.see(inState("chatting", "Im Gespräch"), button("Stopp Weiter"), `document.documentElement.lang === 'de'`,
		`document.getElementById('hint').innerText.startsWith('Enter sendet')`, `document.getElementById('online').innerText === '12.573 Personen hier'`)
	anna.say("immer noch hier")
	ben.see(last("stranger", "immer noch hier"))
	choose("ar")
	anna.see(inState("chatting", "في محادثة"), `document.documentElement.dir === 'rtl'`)
	// The whole page is the other way round: what was at the left is at the right.
	anna.check(`document.getElementById('stop').getBoundingClientRect().left > document.getElementById('send').getBoundingClientRect().left`,
		`document.querySelector('h1').getBoundingClientRect().left > document.getElementById('hide').getBoundingClientRect().left`,
		`document.querySelector('.you .bubble').getBoundingClientRect().left < innerWidth / 4`)
	anna.do(chromedp.Reload(), browsertest.Wait(inState("idle", "جاهز")))

	// Each language counts as it does.
	anna.run(`const { languages, speak, words } = await import('/words.js');
		for (const language of Object.keys(languages)) {
			if (!await speak(language)) throw new Error(language);
			const forms = (await (await fetch('/words/' + language + '.json')).json()).online;
			const rules = new Intl.PluralRules(language);
			for (let n = 0; n <= 200; n++) {
				if (!(rules.select(n) in forms)) throw new Error(language + ' has no form for ' + n);
				if (/[{}]/.test(words.online(n) + words.messages(n))) throw new Error(language + ': ' + words.online(n));
			}
		}
		await speak('en')`)
}
