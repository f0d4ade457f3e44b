package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"roulette/web/browsertest"
)

// TestPage runs the page in a real browser against a real, if simple, server. The
// browser is shared, the people and the server are each test's own.
func TestPage(t *testing.T) {
	crowd := newCrowd(t)
	for _, test := range []struct {
		name string
		run  func(t *testing.T, chat *fakeChat, enter func() person)
	}{
		{"two people talk", testTalk},
		{"start, stop and next", testButtons},
		{"meant for what was seen", testMeaning},
		{"swiping", testSwipe},
		{"go back", testGoBack},
		{"alone", testAlone},
		{"a table", testTable},
		{"languages of people", testSpoken},
		{"strangers of before", testFormer},
		{"four people go on", testGoOn},
		{"typing", testTyping},
		{"drafts", testDrafts},
		{"not delivered", testUndelivered},
		{"interests", testInterests},
		{"the next one by itself", testAutomaticNext},
		{"in the background", testBackground},
		{"saving", testSave},
		{"hiding", testHide},
		{"hostile text is text", testHostileText},
		{"hostile records", testHostileRecords},
		{"links", testLinks},
		{"pictures", testPictures},
		{"hostile pictures", testHostilePictures},
		{"keys", testKeys},
		{"reading back", testReadingBack},
		{"too big a message", testTooBig},
		{"the server is killed under a chat", testKilled},
		{"the server drops and comes back", testDrop},
		{"the network comes back", testOnline},
		{"offline and online", testOffline},
		{"a restart", testRestart},
		{"a final close", testFinalClose},
		{"too many messages", testHeld},
		{"refused records", testRefused},
		{"no downgrade", testNoDowngrade},
		{"who goes says so", testGone},
		{"who is frozen says so", testFrozen},
		{"a black hole", testBlackHole},
		{"heartbeats", testHeartbeat},
		{"a server that knows no hello", testOldServer},
		{"small screens", testSmallScreens},
		{"a QR code", testQR},
		{"malformed languages", testMalformedLanguages},
		{"another language", testSwitchLanguage},
		{"the client library", testLibrary},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			chat := newFakeChat(t, false)
			test.run(t, chat, func() person {
				t.Helper()
				return crowd.visit(t, chat, idle)
			})
		})
	}
}

func testTalk(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	anna.check(focusedField, unsendable, button("Start"), `document.getElementById('log').childElementCount === 0`,
		`document.getElementById('online').innerText === '12,573 people here'`)
	meet(anna, ben)
	anna.check(sendable, button("Stop Next"), last("note", "You are talking to a stranger. Say hello!"))

	anna.say("Hello, whoever you are")
	ben.see(last("stranger", "Hello, whoever you are"))
	ben.say("Grüß Gott 👋")
	anna.see(last("stranger", "Grüß Gott 👋"))

	// In words, for those who see no colours, and with the time.
	anna.check(
		`document.querySelector('.message.you .who').innerText === 'You'`,
		`document.querySelector('.message.stranger .who').innerText === 'Stranger'`,
		`/\d/.test(document.querySelector('.message time').innerText)`,
		`!isNaN(Date.parse(document.querySelector('.message time').dateTime))`,
		`document.querySelector('[role=log]').querySelectorAll('.message').length === 2`,
	)

	// The button does what Enter does, and leaves the focus in the field.
	anna.write("by button")
	anna.do(chromedp.Click(chromedp.CSS("#send")))
	anna.see(last("you", "by button"), emptyField, focusedField)
	ben.see(last("stranger", "by button"))
}

func testButtons(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	// Nothing is lost by looking no further: it stops at once.
	anna.press()
	anna.see(looking, button("Stop"))
	anna.press()
	anna.see(idle, button("Start"))

	// Esc asks, for a second; whatever is said meanwhile is an answer.
	meet(anna, ben)
	anna.stopClock()
	anna.check(button("Stop Next"))
	const asks, asksNot = `document.getElementById('next').classList.contains('sure')`, `!document.getElementById('next').classList.contains('sure')`
	anna.press()
	anna.see(asks, warning("Esc again"))
	anna.say("no, wait")
	anna.check(asksNot, warning(""), chatting)
	anna.press()
	anna.see(asks)
	anna.pass(0.9)
	anna.check(asks)
	anna.pass(0.2)
	anna.check(asksNot, warning(""), chatting)
	anna.press()
	anna.see(asks)
	anna.press()
	anna.see(looking, noted("You have left."))
	ben.see(left, button("Next"), unsendable, last("note", "The stranger went on to someone else."))

	// Next is one press, with the mouse, and the focus stays in the field.
	ben.write("kept")
	ben.see(settled)
	ben.do(chromedp.Click(chromedp.CSS("#go")))
	anna.see(chatting, settled, focusedField)
	anna.do(chromedp.Click(chromedp.CSS("#next")))
	anna.see(looking, focusedField)
	ben.see(left)
	ben.press()
	anna.see(chatting)

	// A stranger who leaves first has answered the question.
	anna.press()
	ben.leave()
	anna.see(left, button("Next"), warning(""))

	// A key held down is one press; one of an input method, or with another, is none.
	anna.see(settled)
	anna.run(`for (const how of [{ repeat: true }, { isComposing: true }, { keyCode: 229 }, { ctrlKey: true }, { shiftKey: true }]) {
		document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, ...how }));
	}`)
	anna.check(left)
}

func testGoOn(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben, carla, dan := enter(), enter(), enter(), enter()
	meet(anna, ben)
	anna.say("to Ben")
	ben.see(last("stranger", "to Ben"))
	carla.press()
	carla.see(looking)
	anna.goOn()
	anna.see(chatting)
	ben.see(left)
	dan.press()
	dan.see(looking)
	ben.press()
	ben.see(chatting)
	for _, pair := range [][2]person{{anna, carla}, {ben, dan}} {
		pair[0].see(chatting)
		pair[0].say("to the next")
		pair[1].see(last("stranger", "to the next"))
		pair[1].say("from the next")
		pair[0].see(last("stranger", "from the next"))
	}
	// The log goes on, with a line between one stranger and the next.
	anna.check(`document.querySelectorAll('.note.new').length === 2`, `document.querySelectorAll('.message').length === 3`)
}

func testTyping(t *testing.T, chat *fakeChat, enter func() person) {
	const shown = `!document.getElementById('typing').hidden && document.getElementById('typing').innerText.trim() === 'Stranger is typing…'`
	const hidden = `document.getElementById('typing').hidden`
	anna, ben := enter(), enter()
	meet(anna, ben)
	anna.stopClock()
	for range 10 {
		anna.write("a")
	}
	ben.see(shown)
	ben.check(`!document.getElementById('log').textContent.includes('typing')`)
	if got := chat.typings(); got != 1 {
		t.Errorf("%d records for ten keys", got)
	}
	anna.do(browsertest.Enter())
	ben.see(last("stranger", strings.Repeat("a", 10)), hidden)

	// Who ceases is not typing; nor is who has gone.
	anna.pass(4) // the last record is long ago
	anna.write("b")
	ben.see(shown)
	anna.pass(5)
	ben.see(hidden)
	ben.write("c")
	anna.see(shown)
	ben.leave()
	anna.see(left, hidden)
}

func testDrafts(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben, carla := enter(), enter(), enter()
	// What is written while nobody is there is for whoever comes.
	anna.write("An opening")
	anna.do(browsertest.Enter())
	anna.check(warning("Not sent: nobody is there yet"), `document.getElementById('field').value === 'An opening'`)
	meet(anna, ben)
	anna.check(warning(""), `document.getElementById('field').value === 'An opening'`)
	anna.do(browsertest.Enter())
	ben.see(last("stranger", "An opening"))

	// What was meant for one is not for the next, and goes nowhere in between.
	anna.write("for Ben alone")
	ben.leave()
	anna.see(left, unsendable)
	anna.do(browsertest.Enter())
	anna.check(warning("Not sent: the stranger is gone"), `document.querySelectorAll('.message.you').length === 1`,
		`document.getElementById('field').value === 'for Ben alone'`)
	meet(anna, carla)
	anna.check(emptyField)
	anna.say("to Carla")
	carla.see(last("stranger", "to Carla"))
	carla.check(`document.querySelectorAll('.message').length === 1`)
}

func testUndelivered(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	meet(anna, ben)
	for _, text := range []string{"one", "two", "three"} {
		anna.say(text)
	}
	ben.see(last("stranger", "three"))
	// As if Ben had gone between the first and the second, and the news were late.
	chat.tell(fields{"type": "left", "pair": 1, "reason": "stalled"})
	chat.tell(fields{"type": "undelivered", "pair": 1, "n": 1})
	chat.tell(fields{"type": "undelivered", "pair": 1, "n": 1})
	anna.see(noted("The stranger stopped answering."),
		`[...document.querySelectorAll('.undelivered .text')].map((text) => text.textContent).join() === 'two,three'`,
		`document.querySelector('.undelivered .fate').innerText === 'Not delivered'`)
	ben.see(noted("Nobody is there yet: your last message reached nobody."))
}

func testInterests(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben, carla := enter(), enter(), enter()
	add := func(p person, text string) {
		p.run(`document.getElementById('interest').focus()`)
		p.write(text)
		p.do(browsertest.Enter())
	}
	tags := func(want string) string {
		return fmt.Sprintf(`[...document.querySelectorAll('.tag bdi')].map((tag) => tag.innerText).join('|') === %q`, want)
	}
	add(anna, "go")
	add(anna, " GO , board \t games,  \u202e, ")
	add(anna, "music")
	anna.see(tags("go|board games|music"))
	anna.do(chromedp.Click(chromedp.CSS("#tags li:nth-child(2) button")))
	anna.see(tags("go|music"))
	anna.do(chromedp.Reload(), browsertest.Wait(idle))
	anna.see(tags("go|music"))

	add(ben, "music")
	ben.run(`document.getElementById('interest').focus()`)
	ben.write("go") // not taken yet, but meant
	meet(anna, ben)
	for _, p := range []person{anna, ben} {
		p.see(`/^You both like (go, music|music, go)\.$/.test(document.getElementById('log').lastElementChild.innerText)`)
		p.check(`document.getElementById('lobby').hidden`, `document.getElementById('shared').innerText.includes('music')`)
	}
	ben.leave()
	anna.see(left)
	meet(anna, carla)
	anna.see(last("note", "Nobody who shares your interests was free, so this is someone else."))
	carla.check(last("note", "You are talking to a stranger. Say hello!"))

	// Ten is the most, and the field says so by going.
	add(ben, "1,2,3,4,5,6,7,8,9,10,11,12")
	ben.see(tags("music|go|1|2|3|4|5|6|7|8"), `document.getElementById('interest').hidden`)
}

func testAutomaticNext(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	counting := func(seconds int) string {
		return fmt.Sprintf(`!document.getElementById('stay').hidden && document.getElementById('explanation').innerText === 'Next stranger in %d…'`, seconds)
	}
	anna.stopClock()
	anna.run(`document.getElementById('auto').click()`)
	meet(anna, ben)
	ben.leave()
	anna.see(left, counting(5))
	anna.pass(3)
	anna.check(left, counting(2))
	anna.do(chromedp.Click(chromedp.CSS("#stay")))
	anna.see(`document.getElementById('notice').hidden || !document.getElementById('back').hidden`)
	anna.pass(15)
	anna.check(left, `document.getElementById('notice').hidden`)

	meet(anna, ben)
	ben.leave()
	anna.see(left, counting(5))
	anna.pass(5)
	anna.see(looking)

	// Who leaves himself is not sent on, and the setting is remembered.
	ben.press()
	anna.see(chatting)
	anna.leave()
	anna.pass(5) // there is a way back
	anna.see(idle, `document.getElementById('notice').hidden`)
	anna.do(chromedp.Reload(), browsertest.Wait(idle))
	anna.check(`document.getElementById('auto').checked`)
}

func testBackground(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	meet(anna, ben)
	anna.run(`document.getElementById('sound').click();
		window.notes = 0;
		const create = AudioContext.prototype.createOscillator;
		AudioContext.prototype.createOscillator = function () { window.notes++; return create.call(this); };
		window.away = true;
		Object.defineProperty(document, 'hidden', { get: () => window.away });`)
	ben.say("one")
	ben.say("two")
	anna.see(`document.title === '(2) New messages'`, `document.title === 'Roulette: talk to a stranger'`, `window.notes === 4`)
	anna.run(`window.away = false; document.dispatchEvent(new Event('visibilitychange'))`)
	anna.check(`document.title === 'Roulette: talk to a stranger'`)
	ben.say("three")
	anna.see(last("stranger", "three"))
	anna.check(`document.title === 'Roulette: talk to a stranger'`, `window.notes === 4`)
}

func testSave(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	meet(anna, ben)
	ben.leave()
	anna.see(left)
	meet(anna, ben) // only the present chat is saved
	anna.say("two\nlines")
	chat.now()[0].write(websocket.MessageText, []byte("<b>one</b>\n1/1/26, 12:00:00 PM You: I agree\r--- 1/1/26, 12:00:00 PM You have left.\u2028\u202eabc\u0085\x1b[2J"))
	chat.send(websocket.MessageBinary, []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01L\x00;"))
	anna.see(`document.querySelector('.picture')`)
	anna.run(`const make = URL.createObjectURL;
		URL.createObjectURL = (blob) => { window.saved = blob.text(); return make.call(URL, blob); };
		HTMLAnchorElement.prototype.click = function () { window.file = this.download; };
		document.querySelector('[popovertarget]').click();
		document.getElementById('save').click();
		const time = /(^|\n)(--- |)\d+\/\d+\/\d+, \d+:\d\d:\d\d\s[AP]M /gu;
		const text = (await window.saved).replace(time, '$1$2TIME ');
		const want = '--- TIME You are back with the same stranger.\nTIME You: two\n    | lines\nTIME Stranger: <b>one</b>\n' +
			'    | 1/1/26, 12:00:00 PM You: I agree\n    | --- 1/1/26, 12:00:00 PM You have left.\n    | \ufffdabc\n    | \ufffd[2J\n' +
			'TIME Stranger: [Picture from the stranger: GIF, 1 × 1, 1 KB]\n';
		if (text !== want) throw new Error(JSON.stringify(text));
		// Copied out of the log it is the same.
		getSelection().selectAllChildren(document.getElementById('log'));
		const clipboard = new DataTransfer();
		document.getElementById('log').dispatchEvent(new ClipboardEvent('copy', { clipboardData: clipboard, bubbles: true, cancelable: true }));
		if (!clipboard.getData('text/plain').replace(time, '$1$2TIME ').endsWith(want)) throw new Error(clipboard.getData('text/plain'));
		if (!/^roulette-\d{4}-\d\d-\d\d\.txt$/.test(window.file)) throw new Error(window.file);
		if (document.querySelector(':popover-open')) throw new Error('the menu is open');`)
}

func testHide(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	const empty = `document.body.innerText.trim() === 'Back'`
	for _, how := range []string{"button", "key"} {
		meet(anna, ben)
		ben.say("a secret")
		anna.see(last("stranger", "a secret"))
		anna.write("a dra")
		if how == "button" {
			anna.do(chromedp.Click(chromedp.CSS("#hide")))
		} else {
			anna.do(browsertest.Shift(), browsertest.Shift())
			anna.write("f")
			anna.check(chatting)
			anna.do(browsertest.Shift(), browsertest.Shift(), browsertest.Shift())
		}
		anna.see(empty)
		anna.check(`!document.documentElement.textContent.includes('secret')`, emptyField, `!document.title.includes('Roulette')`,
			`!document.querySelector('link[rel=icon]').href.includes('favicon')`)
		ben.see(left)
		anna.press() // leads nowhere
		anna.check(empty)
		anna.do(chromedp.Click(chromedp.CSS("#uncover")))
		anna.see(idle, button("Start"))
		anna.check(`document.getElementById('log').childElementCount === 0`, `document.title.includes('Roulette')`)
	}

	// Shift does so only for who wants it, also on the next visit.
	anna.run(`document.getElementById('panic').click()`)
	for range 2 {
		anna.check(`!document.getElementById('hint').innerText.includes('Shift three')`)
		anna.do(browsertest.Shift(), browsertest.Shift(), browsertest.Shift())
		anna.check(idle, `document.getElementById('cover').hidden`)
		anna.do(chromedp.Reload(), browsertest.Wait(idle))
	}
	anna.run(`document.getElementById('panic').click()`)
	anna.do(browsertest.Shift(), browsertest.Shift(), browsertest.Shift())
	anna.see(empty)
}

func testKeys(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	meet(anna, ben)

	anna.write("first line")
	anna.do(browsertest.Enter(chromedp.ModifierShift))
	anna.write("second line")
	anna.check(`document.getElementById('field').value === 'first line\nsecond line'`,
		`document.getElementById('field').clientHeight > 60`) // it grew
	anna.do(browsertest.Enter())
	ben.see(last("stranger", "first line\nsecond line"))

	// While an input method composes, Enter is its own: it chooses a candidate.
	anna.write("かな")
	anna.run(`const field = document.getElementById('field');
		for (const how of [{ isComposing: true }, { keyCode: 229 }]) {
			const event = new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...how });
			if (!field.dispatchEvent(event)) throw new Error('the key was taken');
		}`)
	anna.check(`document.getElementById('field').value === 'かな'`)
	anna.do(browsertest.Enter())
	ben.see(last("stranger", "かな"))

	// Nothing but space is nothing.
	anna.write("   ")
	anna.do(browsertest.Enter())
	anna.check(`document.querySelectorAll('.message').length === 2`)
}

func testReadingBack(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	meet(anna, ben)
	long := strings.Repeat("a long story ", 300)
	anna.do(chromedp.SetValue(chromedp.CSS("#field"), long), browsertest.Enter())
	for n := range 12 {
		anna.say(fmt.Sprintf("and another %d", n))
	}
	ben.see(`document.querySelectorAll('.message').length === 13`)
	ben.see(atEnd)

	// Nor does another layout: a phone is turned, its keyboard opens and closes.
	for _, size := range [][2]int64{{390, 844}, {844, 390}, {390, 420}, {390, 844}} {
		ben.do(chromedp.EmulateViewport(size[0], size[1]))
		ben.see(fmt.Sprintf("innerWidth === %d && innerHeight === %d", size[0], size[1]), atEnd)
	}

	// Whoever reads back is not torn away, but told.
	ben.run(`const frame = () => new Promise(requestAnimationFrame);
		await frame(), await frame(); // the layout of the last size is done
		const scroller = document.getElementById('scroller');
		const scrolled = new Promise((resolve) => scroller.addEventListener('scroll', resolve, { once: true }));
		scroller.scrollTop = 0;
		await scrolled`)
	anna.say("and then")
	ben.see(last("stranger", "and then"), `!document.getElementById('jump').hidden`)
	ben.check(`document.getElementById('scroller').scrollTop === 0`)
	ben.do(chromedp.Click(chromedp.CSS("#jump")))
	ben.see(atEnd, `document.getElementById('jump').hidden`)
}

func testTooBig(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	meet(anna, ben)
	anna.do(chromedp.SetValue(chromedp.CSS("#field"), strings.Repeat("ü", 32<<10+1)), browsertest.Enter())
	anna.see(`document.getElementById('warning').innerText.startsWith('Not sent: this is longer')`)
	anna.check(chatting, `document.getElementById('field').value !== ''`)
}
