package web_test

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"

	"roulette/web/browsertest"
)

// TestRulesInTheBrowser holds the page against the cases that the server and the
// terminal client are held against as well.
func TestRulesInTheBrowser(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("../frame/record/testdata/rules.json")
	if err != nil {
		t.Fatal(err)
	}
	chat := newFakeChat(t, false)
	p := person{t, browsertest.Shared(t)}
	p.do(chromedp.Navigate(chat.url), browsertest.Wait(idle))
	p.run(rulesScript(string(rules)))
}

// rulesScript throws an exception that says which cases the page fails.
func rulesScript(rules string) string {
	return `const rules = ` + rules + `;
		const { interest } = await import('/interests.js');
		const { linked } = await import('/links.js');
		const { retryDelay, returnDelay } = await import('/retry.js');
		const wrong = [];
		const equal = (what, got, want) => {
			if (got !== want) wrong.push(what + ': ' + JSON.stringify(got) + ', want ' + JSON.stringify(want));
		};
		for (const { character, is } of rules.characters) {
			const want = { control: 'ab', space: 'a b' }[is] ?? ('a' + character + 'b').normalize('NFC');
			equal('U+' + character.codePointAt(0).toString(16) + ' is ' + is, interest('a' + character + 'b'), want);
		}
		for (const { description, text, typed } of rules.interests) equal(description, interest(text), typed);
		for (const { text, links } of rules.links) {
			const nodes = linked(text).filter((node) => node.href);
			equal(text, JSON.stringify(nodes.map((a) => ({ shown: a.textContent, href: a.href }))), JSON.stringify(links));
		}
		for (const { code, attempts, least, most } of rules.retries) {
			equal('least after ' + code + ', ' + attempts, retryDelay(code, attempts, () => 0), least);
			equal('most after ' + code + ', ' + attempts, retryDelay(code, attempts, () => 1), most);
		}
		for (const { code, attempts, least, most } of rules.returns) {
			equal('least before a return after ' + code + ', ' + attempts, returnDelay(code, attempts, () => 0), least);
			equal('most before a return after ' + code + ', ' + attempts, returnDelay(code, attempts, () => 1), most);
		}
		for (const code of rules.final) equal(String(code), retryDelay(code, 0), Infinity);
		if (wrong.length > 0) throw new Error(wrong.join('\n'));`
}
