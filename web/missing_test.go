package web_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"roulette/web/browsertest"
)

// missing is what the page uses and not every browser has that runs it. The page is
// written for browsers that know ECMAScript 2021 with private members of classes and
// modules (Chrome 90, Firefox 90, Safari 15); whatever is younger, switched off by some,
// or taken away by an extension stands here, and is guarded where it is used.
var missing = []struct {
	name string // as the page uses it
	away string // the script that takes it away
}{
	{":popover-open", `const { matches } = Element.prototype;
		Element.prototype.matches = function (selector) {
			if (selector.includes(':popover-open')) throw new DOMException('not a valid selector', 'SyntaxError');
			return matches.call(this, selector);
		};
		for (const name of ['showPopover', 'hidePopover', 'togglePopover']) delete HTMLElement.prototype[name];`},
	{"ResizeObserver", `delete window.ResizeObserver`},
	{"AudioContext", `delete window.AudioContext`},
	{"localStorage", `Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError'); } })`},
	{"createImageBitmap", `delete window.createImageBitmap`},
	{"getSelection", `delete window.getSelection; delete Document.prototype.getSelection`},
	{"CSS", `delete window.CSS`},
	{".at(", `delete Array.prototype.at; delete String.prototype.at`},
	{"findLastIndex", `delete Array.prototype.findLastIndex; delete Array.prototype.findLast`},
	{"ListFormat", `delete Intl.ListFormat`},
	{"PluralRules", `delete Intl.PluralRules`},
	{"dateStyle", `const { DateTimeFormat } = Intl;
		Intl.DateTimeFormat = function (tag, options) {
			if (options?.dateStyle || options?.timeStyle) throw new TypeError('not known');
			return new DateTimeFormat(tag, options);
		}`},
	{"getCanonicalLocales", `delete Intl.getCanonicalLocales`},
	{"navigator.languages", `Object.defineProperty(Navigator.prototype, 'languages', { get: () => undefined })`},
	{"navigator.language", `for (const name of ['language', 'languages']) Object.defineProperty(Navigator.prototype, name, { get: () => undefined })`},
	{"onLine", `Object.defineProperty(Navigator.prototype, 'onLine', { get: () => undefined })`},
	{"decode", `delete HTMLImageElement.prototype.decode`},
	{"matchMedia", `delete window.matchMedia`},
	{"ariaHidden", `delete Element.prototype.ariaHidden`},
	{"visibilityState", `Object.defineProperty(Document.prototype, 'visibilityState', { get: () => undefined })`},
	{"Notification", `delete window.Notification`},
	{"navigator.share", `delete Navigator.prototype.share; delete Navigator.prototype.canShare`},
	{"navigator.clipboard", `delete Navigator.prototype.clipboard`},
	{"performance", `delete window.performance`},
	{"crypto", `delete window.crypto`},
	{"requestAnimationFrame", `delete window.requestAnimationFrame`},
	{"requestIdleCallback", `delete window.requestIdleCallback`},
}

// TestMissingFeatures takes each of them away, and then all: somebody who enters finds
// a stranger, talks, leaves, and can hide at once.
func TestMissingFeatures(t *testing.T) {
	t.Parallel()
	crowd := newCrowd(t)
	used := scripts(t)
	var all []string
	for _, feature := range missing {
		if !strings.Contains(used, feature.name) {
			continue // perhaps again one day
		}
		away := "{" + feature.away + "}\n"
		all = append(all, away)
		t.Run(feature.name, func(t *testing.T) {
			t.Parallel()
			walk(crowd.enter(t), away)
		})
	}
	if len(all) < 15 {
		t.Errorf("only %d of the features are used", len(all))
	}
	t.Run("all of them", func(t *testing.T) {
		t.Parallel()
		walk(crowd.enter(t), strings.Join(all, ""))
	})
}

// scripts is the text of all scripts of the page.
func scripts(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	files := os.DirFS("static")
	names, err := fs.Glob(files, "*.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(regexp.MustCompile(`(?m)^\s*(//|\*|/\*\*).*$`).ReplaceAll(content, nil))
	}
	return text.String()
}

// walk leads anna, in whose browser the script runs first, through a chat and out.
func walk(anna person, away string) {
	t := anna.t
	chat := newFakeChat(t, false)
	anna.beforeLoad(away)
	anna.do(chromedp.Navigate(chat.url), browsertest.Wait(idle))
	anna.run(`document.getElementById('sound').click(); Object.defineProperty(document, 'hidden', { get: () => true })`)
	ben := talkTo(t, chat.url)
	anna.run(`document.getElementById('go').click()`)
	ben.until("paired")
	anna.see(chatting)
	ben.say("hello")
	anna.see(last("stranger", "hello"))
	anna.do(chromedp.Focus(chromedp.CSS("#field")))
	anna.write("good evening")
	anna.do(browsertest.Enter())
	ben.until("good evening")
	anna.goOn()
	ben.until(`"left"`)

	ben.say("\x1e" + `{"type":"next","interests":[]}`)
	ben.until("paired")
	anna.see(chatting)
	anna.run(`document.getElementById('hide').click()`)
	anna.check(`!document.getElementById('cover').hidden`, `document.getElementById('log').clientHeight === 0`,
		`!document.documentElement.textContent.includes('good evening')`)
	ben.until(`"left"`)
}

// talker is a stranger without a browser.
type talker struct {
	t    *testing.T
	conn *websocket.Conn
}

// talkTo lets a stranger in who looks for somebody.
func talkTo(t *testing.T, url string) talker {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), browsertest.Timeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, strings.Replace(url, "http", "ws", 1)+"/ws", &websocket.DialOptions{Subprotocols: []string{subprotocol}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	b := talker{t, conn}
	b.say("\x1e" + `{"type":"next","interests":[]}`)
	return b
}

func (b talker) say(text string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), browsertest.Timeout)
	defer cancel()
	if err := b.conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		b.t.Fatal(err)
	}
}

// until reads messages until one has text in it.
func (b talker) until(text string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), browsertest.Timeout+5*time.Second)
	defer cancel()
	var heard []string
	for {
		_, message, err := b.conn.Read(ctx)
		if err != nil {
			b.t.Fatal(fmt.Errorf("waiting for %q, after %q: %w", text, heard, err))
		}
		if strings.Contains(string(message), text) {
			return
		}
		heard = append(heard, string(message))
	}
}
