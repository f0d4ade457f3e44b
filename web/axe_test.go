package web_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// axeScript finds axe-core, the checker of accessibility: the file that ROULETTE_AXE
// names, or what
//
//	npm install --no-save --ignore-scripts --prefix "${XDG_CACHE_HOME:-$HOME/.cache}/roulette" axe-core@4.14.1
//
// has put into the cache. Without it the test is skipped, except where CI=true.
func axeScript(t *testing.T) string {
	t.Helper()
	path := os.Getenv("ROULETTE_AXE")
	if path == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(cache, "roulette", "node_modules", "axe-core", "axe.min.js")
	}
	script, err := os.ReadFile(path)
	if err != nil {
		if os.Getenv("CI") == "true" || os.Getenv("ROULETTE_AXE") != "" {
			t.Fatalf("no axe-core: %v; this test must run", err)
		}
		t.Skipf("skipped: no axe-core: %v; set ROULETTE_AXE to its axe.min.js", err)
	}
	return string(script)
}

// TestAccessibility lets axe-core look at the page in each of its states, in windows of
// all sizes, by day and by night. What it finds serious or critical fails the test.
func TestAccessibility(t *testing.T) {
	script := axeScript(t)
	t.Parallel()
	crowd := newCrowd(t)
	chat := newFakeChat(t, false)
	anna := crowd.visit(t, chat, idle)
	anna.do(chromedp.EmulateViewport(390, 844))
	states := 0
	look := func(state string) {
		anna.do(emulate("dark")) // other colours, and nothing else
		anna.audit(state+", dark", script, `{ runOnly: ['color-contrast'] }`)
		anna.do(emulate("light"))
		// All rules on a phone, and on one of the other screens, in turn, those of layout.
		states++
		for i, screen := range screens {
			anna.fit(state, screen)
			switch name := fmt.Sprintf("%s, %d×%d", state, screen[0], screen[1]); i {
			case 0:
				anna.audit(name, script, `{}`)
			case 1 + states%(len(screens)-1):
				anna.audit(name, script, layout)
			}
		}
		anna.do(chromedp.EmulateViewport(390, 844))
	}
	tour(anna, crowd.visit(t, chat, idle), chat, look)
	anna.do(chromedp.Navigate(chat.url + "/nowhere"))
	look("404")

	arabic := newFakeChat(t, false)
	anna, ben := crowd.visit(t, arabic, idle), crowd.visit(t, arabic, idle)
	anna.do(chromedp.EmulateViewport(390, 844))
	anna.run(`const select = document.getElementById('language');
		select.value = 'ar';
		select.dispatchEvent(new Event('change'))`)
	anna.see(`document.documentElement.dir === 'rtl'`)
	look("idle, in Arabic")
	anna.run(`document.getElementById('go').click()`)
	ben.press()
	anna.see(inState("chatting", "في محادثة"))
	ben.say("Hello! Where are you?")
	anna.see(last("stranger", "Hello! Where are you?"))
	look("chatting, in Arabic")
}

// layout is the rules of axe-core that find something else where the same things stand
// in other places.
const layout = `{ runOnly: ['color-contrast', 'scrollable-region-focusable', 'target-size', 'css-orientation-lock', 'link-in-text-block'],
	rules: { 'target-size': { enabled: true } } }`

// audit runs axe, with these options, in the page as it is.
func (p person) audit(state, script, options string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void]("if (!window.axe) {" + script + "}; 0"))
	var found string
	check := chromedp.Evaluate[string](`(async () => {
		const { passes, violations } = await axe.run(document, { resultTypes: ['violations'], ...`+options+` });
		if (passes.length === 0) throw new Error('axe has looked at nothing');
		return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
			.map(({ id, impact, help, nodes }) => impact + ': ' + id + ': ' + help + '\n' + nodes.map((node) =>
				'\t' + node.target + '\n\t' + node.html + '\n\t' + node.failureSummary).join('\n')).join('\n');
	})()`, chromedp.EvalAwaitPromise)
	p.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) (err error) {
		found, err = check(ctx, tab)
		return err
	}))
	if found != "" {
		p.t.Errorf("%s: %s", state, found)
	}
}
