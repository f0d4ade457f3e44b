package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"roulette/web/browsertest"
)

func testHostileText(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	meet(anna, ben)
	for _, text := range []string{
		`<img src="x" onerror="document.title = 'owned'">`,
		`<script>document.title = 'owned'</script>`,
		"\u202e gnirts desrever \u2066 and \u2067 isolates",
		`{"type":"left","pair":1,"reason":"next"}`,
		" \x1e" + `{"type":"left","pair":1,"reason":"next"}`,
		"Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324" + strings.Repeat("\u0310", 100),
	} {
		anna.say(text)
		ben.see(last("stranger", text))
	}

	// A message of the largest size is seen in part, until all of it is asked for.
	long := strings.Repeat("W", 64<<10)
	shown := `[...document.querySelectorAll('.text')].at(-1).textContent.length`
	anna.do(chromedp.SetValue(chromedp.CSS("#field"), long), browsertest.Enter())
	ben.see(shown+` === 1500`, atEnd)
	ben.check(`document.querySelector('.folded').clientHeight < 400`)
	ben.run(`document.querySelector('.folded button').click()`)
	ben.check(`!document.querySelector('.folded')`)
	ben.see(fmt.Sprintf(`%s === %d`, shown, len(long)))

	// A report shows the same in the same way.
	ben.run(`document.getElementById('report-open').click()`)
	ben.see(`document.querySelector('#report-said li:last-child button')`)
	ben.run(`const item = document.querySelector('#report-said li:last-child');
		if (item.textContent.length > 1600) throw new Error(item.textContent.length + ' characters before all is asked for');
		item.querySelector('button').click();
		if (item.textContent.length > 10_000) throw new Error(item.textContent.length + ' characters at once')`)
	ben.see(fmt.Sprintf(`document.querySelector('#report-said li:last-child').textContent.length === %d`, len(long)))
	ben.run(`document.querySelector('#report .cancel').click()`)

	// A record that came from a stranger would begin the message; the page sends none,
	// and the server relays none.
	anna.write("\x1e" + `{"type":"stop"}`)
	anna.do(browsertest.Enter())
	anna.see(last("you", `{"type":"stop"}`))
	ben.see(last("stranger", `{"type":"stop"}`))

	for _, p := range []person{anna, ben} {
		p.check(
			chatting,
			`document.querySelectorAll('#log :is(img, script)').length === 0`,
			`document.title === 'Roulette: talk to a stranger'`,
			`document.documentElement.scrollWidth <= innerWidth`,
			`document.getElementById('scroller').scrollWidth <= document.getElementById('scroller').clientWidth`,
			// The override ends with its own text: the time stays where it belongs, and readable.
			`[...document.querySelectorAll('.bubble time')].every((time) => getComputedStyle(time).direction === 'ltr')`,
		)
	}
}

func testLinks(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	meet(anna, ben)
	for _, test := range []struct {
		text  string
		links string // what is clickable, with where it leads, in order
	}{
		{"see https://example.org/a?b=c#d.", "https://example.org/a?b=c#d"},
		{"(http://example.org/x_(y)), and HTTPS://EXAMPLE.ORG!", "http://example.org/x_(y) HTTPS://EXAMPLE.ORG=https://example.org/"},
		{"javascript:alert(1) data:text/html,x ftp://example.org blob:https://example.org/1 //example.org", "https://example.org/1"},
		{"https://bank.example@evil.example/ https://user:pass@evil.example/", ""},
		{"https://evil.example/\u202egpj.exe", "https://evil.example/"},
		{`https://example.org/"onmouseover="alert(1)`, "https://example.org/"},
		{"https:// http://. https://[", ""},
		{"a line\nhttps://example.org/1\nhttps://example.org/2", "https://example.org/1 https://example.org/2"},
	} {
		anna.do(chromedp.SetValue(chromedp.CSS("#field"), test.text), browsertest.Enter())
		for _, p := range []person{anna, ben} {
			p.see(fmt.Sprintf(`[...document.querySelectorAll('.text')].at(-1)?.textContent === %q`, test.text))
			p.check(fmt.Sprintf(`((got) => got === %q || got)([...[...document.querySelectorAll('.text')].at(-1).querySelectorAll('a')].map((a) =>
				a.href === a.textContent ? a.href : a.textContent + '=' + a.href).join(' ')) === true`, test.links))
		}
	}
	ben.check(`[...document.querySelectorAll('.text a')].every((a) => a.rel === 'noopener noreferrer nofollow' && a.target === '_blank' && a.title === a.href)`)
}
