package web_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"roulette/web/browsertest"
	"roulette/web/stranger"
)

// Bounds of what one message of a stranger costs before somebody asks for more.
const (
	mostCharacters = 1500 + 1000 // a host that is shown in ASCII is longer than it was
	mostNodes      = 60
	mostAtOnce     = 6000 + mostCharacters // characters laid out between two ticks of a timer
	mostWork       = 8                     // times that of plain prose of the same size, which takes 5 to 13 ms: so a task of 100 ms is too long
)

// What a test run sends is the same each time, and a share of what there is; these flags
// ask for more.
var (
	allTexts = flag.Bool("strangers.all", false, "send all hostile texts that there are, not one of eight")
	textSeed = flag.Uint64("strangers.seed", 1, "which hostile texts are sent; 0 draws")
)

// hostileTexts is what the flags say.
func hostileTexts(t *testing.T) []stranger.Text {
	seed := *textSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
	}
	texts := stranger.Texts(seed)
	if *allTexts {
		return texts
	}
	return stranger.Some(texts, 8, seed)
}

// TestStrangersTextHasABudget sends the page texts of the largest size that are as hard
// as they can be (package stranger). It fails on what is counted: characters, nodes, and
// the work of the page's main thread, in processor time of that thread and as a multiple
// of what plain prose costs in the same run; so another program that keeps the machine
// busy does not make it fail. The longest gap between two ticks of a timer, which is what
// a user would feel, is printed.
func TestStrangersTextHasABudget(t *testing.T) {
	texts := hostileTexts(t)
	t.Parallel()
	chat := newFakeChat(t, false)
	anna := person{t, browsertest.Shared(t)}
	anna.do(chromedp.Navigate(chat.url), browsertest.Wait(idle))
	ben := talkTo(t, chat.url)
	anna.press()
	ben.until("paired")
	anna.see(chatting)
	anna.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks})
		return err
	}))
	anna.run(`const log = document.getElementById('log');
		let last = performance.now(), before = 0;
		window.gap = window.burst = 0;
		setInterval(() => {
			const now = performance.now(), length = log.textContent.length;
			window.gap = Math.max(window.gap, now - last);
			window.burst = Math.max(window.burst, length - before);
			last = now;
			before = length;
		}, 4);`)

	prose := func() time.Duration {
		all := make([]time.Duration, 5)
		for i := range all {
			all[i], _ = anna.cost(ben, stranger.Plain())
		}
		slices.Sort(all)
		return max(all[2], time.Millisecond)
	}
	plain := prose()
	var worst []measured
	for _, text := range texts {
		work, gap := anna.cost(ben, text)
		// The least is what the text needs, the rest was something else: the machine may
		// have become slower since the prose.
		for n := 0; work > mostWork*plain && n < 4; n++ {
			again, gapAgain := anna.cost(ben, text)
			work, gap = min(work, again), min(gap, gapAgain)
			plain = max(plain, prose())
		}
		if work > mostWork*plain {
			t.Errorf("%s: %v, plain prose %v", text.Description, work, plain)
		}
		worst = append(worst, measured{work, gap, text.Description})
		anna.run(`const said = [...document.querySelectorAll('.stranger .text')].at(-1);
			window.characters = said.textContent.length;
			window.nodes = said.querySelectorAll('*').length`)
		if characters, nodes := anna.number("characters"), anna.number("nodes"); characters > mostCharacters || nodes > mostNodes {
			t.Errorf("%s: %v characters and %v nodes are laid out", text.Description, characters, nodes)
		}
	}
	slices.SortFunc(worst, func(a, b measured) int { return int(b.work - a.work) })
	t.Logf("plain prose: %v of the main thread; the worst: %v", plain, worst[:5])
	slices.SortFunc(worst, func(a, b measured) int { return int(b.gap - a.gap) })
	t.Logf("the longest gaps: %v", worst[:5])

	// All of the hardest ones, or the first pieces: they come one by one.
	for _, text := range texts {
		if !slices.Contains([]string{"joiner U+200C alone", `line structure "\n"`, "a pile of Mn"}, text.Description) {
			continue
		}
		anna.cost(ben, text)
		anna.run(`window.gap = window.burst = 0;
			window.asked = [...document.querySelectorAll('.stranger .text')].at(-1);
			window.asked.parentElement.querySelector('button').click()`)
		enough := 20.0
		if *allTexts {
			enough = math.Inf(1)
		}
		all := float64(len(utf16.Encode([]rune(text.Text))))
		for shown := 0.0; shown < all && anna.number("asked.childElementCount") < enough; shown = anna.number("asked.textContent.length") {
			anna.see(fmt.Sprintf(`window.asked.textContent.length > %v`, shown)) // as long as it goes on
		}
		anna.run(`window.asked.closest('.message').hidden = true; window.asked.remove()`) // and here it ends
		burst := anna.number("burst")
		t.Logf("all of %s: %v characters between two ticks, the longest gap %v ms", text.Description, burst, anna.number("gap"))
		if burst > mostAtOnce {
			t.Errorf("%s: %v characters were laid out between two ticks", text.Description, burst)
		}
	}

	// As many as the server lets through at once, and the page has time in between.
	anna.run(`window.gap = window.burst = 0`)
	for i := range 60 {
		ben.say(texts[i%len(texts)].Text)
	}
	ben.say("the end of the burst")
	anna.see(last("stranger", "the end of the burst"))
	burst, gap := anna.number("burst"), anna.number("gap")
	t.Logf("60 at once: %v characters between two ticks, the longest gap %v ms", burst, gap)
	if burst > mostAtOnce {
		t.Errorf("%v characters were laid out between two ticks", burst)
	}
}

// measured is what a text cost.
type measured struct {
	work, gap time.Duration
	name      string
}

func (m measured) String() string {
	return fmt.Sprintf("%v (gap %v) %s", m.work, m.gap, m.name)
}

// cost sends text and returns how much work of p's main thread it was, and the longest gap.
func (p person) cost(ben talker, text stranger.Text) (work, gap time.Duration) {
	p.t.Helper()
	before := p.work()
	p.run(`window.gap = 0`)
	ben.say(text.Text)
	ben.say("and so on")
	p.see(last("stranger", "and so on"))
	p.run(`await new Promise(requestAnimationFrame); await new Promise((frame) => setTimeout(frame, 5)); document.getElementById('log').lastElementChild.className = ''`)
	return (p.work() - before).Round(100 * time.Microsecond), time.Duration(p.number("gap") * float64(time.Millisecond)).Round(time.Millisecond)
}

// work is the processor time that the main thread of p's page has used for tasks.
func (p person) work() (work time.Duration) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		all, err := cdp.Call(ctx, tab, performance.GetMetrics, cdp.Empty{})
		if err != nil {
			return err
		}
		for _, metric := range all.Metrics {
			if metric.Name == "TaskDuration" {
				work = time.Duration(metric.Value * float64(time.Second))
			}
		}
		return nil
	}))
	return work
}

// number is a number among the globals of p's page.
func (p person) number(name string) (n float64) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) (err error) {
		n, err = chromedp.Evaluate[float64]("window."+name)(ctx, tab)
		return err
	}))
	return n
}

// TestPunctuationEndsAddresses of every script, behind and inside of the text around it.
func TestPunctuationEndsAddresses(t *testing.T) {
	t.Parallel()
	all := make([]string, 0, 900)
	for _, r := range stranger.Punctuation() {
		all = append(all, string(r))
	}
	list, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	chat := newFakeChat(t, false)
	p := person{t, browsertest.Shared(t)}
	p.do(chromedp.Navigate(chat.url), browsertest.Wait(idle))
	p.run(strings.ReplaceAll(`const { linked } = await import('/links.js');
		const wrong = [];
		for (const mark of LIST) {
			const inside = /^[\p{Pd}\p{Pc}·・]$/u.test(mark); // of names
			for (const text of ['https://example.com/a' + mark, '看https://example.com/a' + mark + ' x', '(https://example.com/a' + mark + ')', 'https://example.com/a' + mark.repeat(9)]
				.concat(inside ? [] : ['https://example.com/a' + mark + '很好', 'https://example.com/a' + mark + 'https://example.com/a' + mark])) {
				const links = linked(text).filter((node) => node.href);
				if (links.length < 1 || links.some((link) => link.href !== 'https://example.com/a')) wrong.push(text);
			}
		}
		if (wrong.length > 0) throw new Error(wrong.length + ': ' + wrong.slice(0, 20).join(' | '))`, "LIST", string(list)))
}

// TestLargestRecordsHaveABudget: what else of a stranger comes to the page is bounded too.
func TestLargestRecordsHaveABudget(t *testing.T) {
	t.Parallel()
	chat := newFakeChat(t, false)
	p := person{t, browsertest.Shared(t)}
	p.do(chromedp.Navigate(chat.url), browsertest.Wait(idle))
	ben := talkTo(t, chat.url)
	p.press()
	ben.until("paired")
	p.see(chatting)
	for range 100 {
		if err := ben.conn.Write(context.Background(), websocket.MessageBinary, make([]byte, maxMessage)); err != nil {
			t.Fatal(err)
		}
	}
	ben.say("behind them")
	p.see(last("stranger", "behind them"))
	p.check(`document.querySelectorAll('#log > *').length <= 110`, `document.querySelectorAll('#log img').length === 0`)
}
