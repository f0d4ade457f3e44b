package web_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"roulette/web/browsertest"
)

// testMeaning presses each control in the very moment in which the state changes, in
// every state and for everything that can come from outside: what was meant for the
// state before must do nothing in the one after, unless the controls are the same.
func testMeaning(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	// Every press is followed by what it did: the records that the page sent, or meant to.
	const watch = `window.records = [];
		const send = WebSocket.prototype.send;
		WebSocket.prototype.send = function (data) {
			const type = /"type":"(\w+)"/.exec(data)?.[1];
			if (['next', 'stop'].includes(type)) records.push(type);
			return send.call(this, data);
		};
		// The clock of events stands still from now on: however busy the machine is, the
		// presses come at once.
		const { get } = Object.getOwnPropertyDescriptor(Event.prototype, 'timeStamp');
		window.pressIn = (state) => new Promise((resolve) => {
			const now = get.call(new Event(''));
			Object.defineProperty(Event.prototype, 'timeStamp', { get: () => now });
			new MutationObserver((_, observer) => {
				if (document.documentElement.dataset.state !== state) return;
				observer.disconnect();
				window.controlsThen = ` + controlsNow + `;
				const did = [];
				for (const how of ['Esc', 'go', 'stop', 'next']) {
					records.length = 0;
					if (how === 'Esc') {
						` + escTwice + `
					} else {
						document.getElementById(how).click();
					}
					const { state: after } = document.documentElement.dataset;
					if (records.length > 0 || after !== state) did.push(how + ': ' + records + ' ' + after);
				}
				resolve(did.join('; '));
			}).observe(document.documentElement, { attributes: true });
		});`
	var pair int // number of the present or last pairing on this connection
	find := func() {
		pair++
		chat.tell(fields{"type": "paired", "pair": pair, "common": []string{}})
	}
	// States of the page, and how somebody who is idle gets there.
	arrive := map[string]func(){
		"idle": func() {},
		"looking": func() {
			chat.records()
			anna.run(`document.getElementById('go').click()`)
			anna.see(looking)
			chat.obeyed("next") // or the answer to it would come behind what is told next
		},
	}
	arrive["chatting"] = func() { arrive["looking"](); find(); anna.see(chatting) }
	arrive["left"] = func() {
		arrive["chatting"]()
		chat.tell(fields{"type": "left", "pair": pair, "reason": "next"})
		anna.see(left)
	}
	arrive["reconnecting"] = func() { chat.refuse(true); chat.cut(); anna.see(reconnecting) }
	arrive["ended"] = func() { chat.dismiss(websocket.StatusPolicyViolation); anna.see(ended) }
	// What may come from outside in any of them, and the state after it: the same one where
	// it means nothing there.
	happen := []struct {
		what string
		do   func()
		to   func(from string) string
	}{
		{"a stranger is found", find, func(from string) string {
			return map[string]string{"looking": "chatting"}[from]
		}},
		{"the stranger leaves", func() { chat.tell(fields{"type": "left", "pair": pair, "reason": "next"}) }, func(from string) string {
			return map[string]string{"chatting": "left"}[from]
		}},
		{"nobody is there any more", func() { chat.tell(fields{"type": "waiting"}) }, func(from string) string {
			return map[string]string{"chatting": "looking"}[from]
		}},
		{"the connection is cut", func() { chat.refuse(true); chat.cut() }, func(from string) string {
			if from == "reconnecting" || from == "ended" {
				return ""
			}
			return "reconnecting"
		}},
		{"the server sends away for good", func() { chat.dismiss(websocket.StatusPolicyViolation) }, func(from string) string {
			if from == "reconnecting" || from == "ended" {
				return ""
			}
			return "ended"
		}},
	}
	tried := 0
	for _, from := range []string{"idle", "looking", "chatting", "left", "reconnecting", "ended"} {
		for _, change := range happen {
			to := change.to(from)
			if to == "" {
				continue
			}
			anna.do(chromedp.Navigate(chat.url), browsertest.Wait(idle))
			pair = 0
			anna.run(watch)
			arrive[from]()
			anna.see(settled)
			// Did the controls mean the same before and after, the press counts.
			before := anna.ask(controlsNow)
			anna.run(fmt.Sprintf(`window.did = undefined; pressIn(%q).then((did) => { window.did = did; }); 0`, to))
			change.do()
			anna.see(`window.did !== undefined`)
			if anna.ask(`window.controlsThen`) != before {
				tried++
				if did := anna.ask(`window.did`); did != "" {
					t.Errorf("%s, %s, and then is pressed: %s", from, change.what, did)
				}
			}
			chat.refuse(false)
		}
	}
	if tried < 6 {
		t.Errorf("only %d changes of the controls", tried)
	}
}

// controlsNow is what the controls offer, in the order in which they stand: Esc does
// what the first one, or Next, does.
const controlsNow = `[...document.querySelectorAll('.bar > button')].filter((button) => !button.hidden).map(({ id }) => id).join()`

// testSwipe turns the page with a finger: from the end of a line to its beginning, far
// enough, is Next; anything else is not.
func testSwipe(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	meet(anna, ben)
	anna.see(settled)
	touch := func(kind input.DispatchTouchEventType, points ...*input.TouchPoint) {
		anna.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			if points == nil {
				points = []*input.TouchPoint{}
			}
			_, err := cdp.Call(ctx, tab, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: points})
			return err
		}))
	}
	swipe := func(toX, toY float64) {
		touch(input.DispatchTouchEventTypeTouchStart, &input.TouchPoint{X: 500, Y: 200})
		for n := 1.0; n <= 5; n++ {
			touch(input.DispatchTouchEventTypeTouchMove, &input.TouchPoint{X: 500 + (toX-500)*n/5, Y: 200 + (toY-200)*n/5})
		}
		touch(input.DispatchTouchEventTypeTouchEnd)
	}
	for _, to := range [][2]float64{{440, 200}, {700, 200}, {450, 380}} {
		swipe(to[0], to[1])
		anna.check(chatting, `document.getElementById('swipe').hidden`)
	}
	touch(input.DispatchTouchEventTypeTouchStart, &input.TouchPoint{X: 500, Y: 200})
	touch(input.DispatchTouchEventTypeTouchMove, &input.TouchPoint{X: 450, Y: 205})
	anna.see(`!document.getElementById('swipe').hidden && !document.getElementById('swipe').classList.contains('far')`)
	touch(input.DispatchTouchEventTypeTouchMove, &input.TouchPoint{X: 350, Y: 205})
	anna.see(`document.getElementById('swipe').classList.contains('far')`)
	touch(input.DispatchTouchEventTypeTouchEnd)
	anna.see(looking, `document.getElementById('swipe').hidden`)
	ben.see(left)
}

func testGoBack(t *testing.T, chat *fakeChat, enter func() person) {
	const (
		offered    = `!document.getElementById('back').hidden`
		offeredNot = `document.getElementById('back').hidden`
	)
	back := chromedp.Click(chromedp.CSS("#back"))
	anna, ben := enter(), enter()
	anna.stopClock()
	ben.stopClock()
	meet(anna, ben)
	anna.check(offeredNot)
	anna.goOn()
	anna.see(offered, `document.getElementById('explanation').innerText === 'Pressed by mistake?'`)
	ben.see(left, offered, `document.getElementById('explanation').innerText === 'Stranger left'`) // it was no press of theirs
	anna.do(back)
	anna.see(`document.getElementById('explanation').innerText.startsWith('Asked')`, offeredNot)
	ben.see(`document.getElementById('explanation').innerText === 'The stranger would like to come back.'`, offered)
	ben.do(back)
	for _, p := range []person{anna, ben} {
		p.see(chatting, offeredNot, `document.getElementById('notice').hidden`)
	}
	for _, p := range []person{anna, ben} {
		p.see(noted("You are back with the same stranger."))
	}
	anna.say("there you are")
	ben.see(last("stranger", "there you are"))

	// It is an offer of a few seconds; who has left for good can be had back likewise.
	anna.leave()
	anna.see(offered)
	ben.see(left, offered)
	for _, p := range []person{anna, ben} {
		p.pass(4.9)
		p.check(offered)
		p.pass(0.2)
		p.check(offeredNot)
	}

	// A new partner of either is the end of it.
	meet(anna, ben)
	ben.goOn()
	anna.see(left, offered)
	carla := enter()
	carla.press()
	ben.see(chatting, offeredNot)
	anna.do(back)
	anna.see(warning("Too late"), offeredNot)
	anna.check(left)
}

func testAlone(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	anna.press()
	anna.see(looking, `document.getElementById('alone').innerText === 'Nobody else is here right now.'`,
		`/^You have been waiting since \d+:\d\d.[AP]M\.$/u.test(document.getElementById('since').innerText)`,
		`document.getElementById('why').innerText.includes('as soon as somebody comes')`)
	ben := enter() // on the page, and not looking
	anna.press()
	anna.see(idle, `document.getElementById('waiting').hidden`)
	anna.run(`document.getElementById('interest').value = 'go'`)
	anna.stopClock()
	anna.press()
	anna.see(`document.getElementById('why').innerText.startsWith('For 5 sec')`)
	anna.pass(5)
	anna.check(`document.getElementById('why').innerText.startsWith('Everybody else')`)

	// Who wants to be told is told, also by a notification.
	anna.run(`window.told = [];
		window.Notification = class extends EventTarget {
			static permission = 'default';
			static async requestPermission() { return (Notification.permission = 'granted'); }
			constructor(title, { body }) { super(); told.push(body); }
		};
		document.getElementById('tell').click();
		Object.defineProperty(document, 'hidden', { get: () => true });`)
	ben.press()
	anna.see(chatting, `told.join() === 'You are talking to a stranger. Say hello!'`)
}

func testTable(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben, carla := enter(), enter(), enter()
	carla.press() // anybody else
	carla.see(looking)
	anna.do(chromedp.Click(chromedp.CSS("#invite")))
	anna.see(looking, `/\/#table=[\w-]{20}$/.test(document.getElementById('link').value)`,
		`location.href === document.getElementById('link').value`, `document.querySelector('#code svg path')`)
	link := anna.ask(`document.getElementById('link').value`)
	ben.do(chromedp.Navigate("about:blank"), chromedp.Navigate(link), browsertest.Wait(idle))
	ben.check(`document.querySelector('.intro').innerText.includes('You are invited')`)
	ben.press()
	ben.see(chatting)
	anna.see(chatting)
	anna.say("you came")
	ben.see(last("stranger", "you came"))
	carla.check(looking)

	// Who leaves the table is among all again.
	anna.leave()
	anna.do(chromedp.Click(chromedp.CSS("#leave-table")))
	anna.check(`location.hash === ''`, `document.getElementById('table').hidden`)
	anna.press()
	anna.see(chatting)
	carla.see(chatting)

	// Copying says that it has happened.
	ben.see(left)
	ben.stopClock() // it is said for two seconds
	ben.run(`document.getElementById('copy').click()`)
	ben.see(`document.getElementById('copy').innerText === 'Copied'`)

	// A link may say anything.
	for _, hash := range []string{"#table=", "#table=%", "#table=%00%20", "#tabletop"} {
		ben.do(chromedp.Navigate("about:blank"), chromedp.Navigate(chat.url+"/"+hash), browsertest.Wait(idle))
		ben.check(`document.getElementById('table').hidden`)
	}
}

func testSpoken(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	speaks := func(p person, codes ...string) {
		for _, code := range codes {
			p.run(fmt.Sprintf(`const select = document.getElementById('add-language');
				select.value = %q;
				select.dispatchEvent(new Event('change'))`, code))
		}
	}
	speaks(anna, "de", "tr", "pt", "ja", "zh")
	anna.check(`document.getElementById('add-language').hidden`)
	anna.do(chromedp.Click(chromedp.CSS("#spoken li:nth-child(5) button")))
	anna.check(`[...document.querySelectorAll('#spoken bdi')].map((name) => name.innerText).join() === 'German,Turkish,Portuguese,Japanese'`)
	anna.do(chromedp.Reload(), browsertest.Wait(idle))
	anna.check(`document.querySelectorAll('#spoken li').length === 4`)
	speaks(ben, "tr")
	meet(anna, ben)
	for _, p := range []person{anna, ben} {
		p.see(`document.getElementById('shared').innerText === 'Turkish'`)
	}
}

func testFormer(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	meet(anna, ben)
	anna.say("to the first")
	ben.say("from the first")
	anna.see(last("stranger", "from the first"))
	ben.leave()
	anna.see(left)
	anna.check(`!document.querySelector('.former')`, `document.querySelector('.intro').clientHeight === 0`)
	meet(anna, ben)
	anna.see(`document.querySelector('.former')?.getAttribute('aria-expanded') === 'false'`)
	anna.check(`document.querySelector('.former .count').innerText === '2 messages'`,
		`[...document.querySelectorAll('.message')].every((message) => message.clientHeight === 0)`)
	anna.do(chromedp.Click(chromedp.CSS(".former")))
	anna.check(`[...document.querySelectorAll('.message')].every((message) => message.clientHeight > 0)`)
	anna.do(chromedp.Click(chromedp.CSS(".former")))
	anna.say("to the second")
	anna.check(`[...document.querySelectorAll('.message')].filter((message) => message.clientHeight > 0).length === 1`)
}
