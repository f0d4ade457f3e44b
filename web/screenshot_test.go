package web_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"roulette/web/browsertest"
)

// TestScreenshots takes pictures of the page in its states, for somebody to look
// at, where the test is run as
//
//	go test -run Screenshots -artifacts -outputdir DIR ./web
//
// What of them a program can see, [TestAccessibility] looks at in every run.
func TestScreenshots(t *testing.T) {
	if flag.Lookup("test.artifacts").Value.String() != "true" {
		t.Skip("skipped: nobody asks for pictures (-artifacts)")
	}
	t.Parallel()
	crowd := newCrowd(t)
	chat := newFakeChat(t, false)
	folder := t.ArtifactDir()
	t.Log("pictures in", folder)

	anna := crowd.visit(t, chat, idle)
	anna.do(chromedp.Navigate(chat.url + "/nowhere"))
	anna.shoot(folder, "404")
	anna.do(chromedp.Navigate(chat.url), browsertest.Wait(idle))
	ben := crowd.visit(t, chat, idle)
	tour(anna, ben, chat, func(state string) { anna.shoot(folder, state) })

	// From right to left.
	arabic := newFakeChat(t, false)
	anna, ben = crowd.visit(t, arabic, idle), crowd.visit(t, arabic, idle)
	anna.run(`const select = document.getElementById('language');
		select.value = 'ar';
		select.dispatchEvent(new Event('change'))`)
	anna.see(`document.documentElement.dir === 'rtl'`)
	anna.shoot(folder, "arabic-idle")
	anna.run(`document.getElementById('field').focus(); document.getElementById('go').click()`)
	ben.press()
	anna.see(inState("chatting", "في محادثة"))
	anna.say("مرحبا، كيف حالك؟")
	ben.see(last("stranger", "مرحبا، كيف حالك؟"))
	ben.say("Hello! Where are you?")
	anna.see(last("stranger", "Hello! Where are you?"))
	anna.shoot(folder, "arabic")
}

// tour leads anna, who is idle, through everything that the page can show, with ben
// as the stranger, and calls look in each state.
func tour(anna, ben person, chat *fakeChat, look func(state string)) {
	look("idle")
	for _, p := range []person{anna, ben} {
		p.run(`document.getElementById('interest').focus()`)
		p.write("night trains, go, music")
		p.do(browsertest.Enter())
	}
	look("interests")
	anna.run(`document.getElementById('field').focus()`)
	anna.press()
	anna.see(looking)
	look("looking")
	chat.tell(fields{"type": "warned", "code": "reported"})
	anna.see(`!document.getElementById('understood').hidden`)
	look("warned")
	anna.run(`document.getElementById('understood').click()`)
	chat.tell(fields{"type": "waiting", "alone": true})
	anna.see(`document.getElementById('alone').innerText.startsWith('Nobody')`)
	look("alone")
	anna.run(`document.getElementById('invite').click()`)
	anna.see(`document.querySelector('#code svg')`)
	anna.run(`document.getElementById('copy').scrollIntoView({ block: 'nearest' })`)
	look("table")
	anna.run(`document.getElementById('leave-table').click()`)
	ben.press()
	anna.see(chatting)
	look("paired")
	for _, line := range []struct {
		from person
		text string
	}{
		{anna, "Hello, whoever you are"},
		{ben, "Hi!"},
		{ben, "I am on a night train somewhere between Vienna and Zürich, and the Wi-Fi has just come back. Where did the wheel find you?"},
		{anna, "In a kitchen in Porto. It smells of oranges."},
		{anna, "Three questions, then:\n1. window or aisle\n2. tea or coffee\n3. what do you see outside"},
		{ben, "Window, tea, and nothing but my own face in the glass. The line: https://en.wikipedia.org/wiki/Nightjet"},
	} {
		line.from.say(line.text)
		other := anna
		if line.from == anna {
			other = ben
		}
		other.see(last("stranger", line.text))
	}
	ben.write("And")
	anna.see(`!document.getElementById('typing').hidden`)
	anna.write("Then wave at it. What is the")
	look("talk")
	anna.press()
	anna.see(`document.getElementById('next').classList.contains('sure')`)
	anna.run(`document.querySelector('[popovertarget]').click()`)
	look("menu")
	anna.run(`document.getElementById('menu').hidePopover()`)
	anna.run(`document.getElementById('report-open').click()`)
	anna.see(`document.querySelectorAll('#report-said li').length === 3`)
	look("report")
	anna.run(`document.querySelector('#report .cancel').click()`)
	anna.run(`document.getElementById('block-open').click()`)
	anna.see(`document.getElementById('block').open`)
	look("block")
	anna.run(`document.querySelector('#block .cancel').click()`)

	for _, p := range []person{ben, anna} {
		p.run(`const canvas = Object.assign(document.createElement('canvas'), { width: 480, height: 300 });
			const context = canvas.getContext('2d');
			const sky = context.createLinearGradient(0, 0, 0, 300);
			for (const [at, colour] of [[0, '#20304f'], [0.6, '#c9735a'], [0.75, '#f0c987'], [0.76, '#1c2a26']]) sky.addColorStop(at, colour);
			context.fillStyle = sky;
			context.fillRect(0, 0, 480, 300);
			const picture = await new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
			const files = new DataTransfer();
			files.items.add(new File([picture], 'sunset.png', { type: 'image/png' }));
			document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true }))`)
		p.see(`!document.getElementById('preview').hidden`)
		if p == ben {
			p.do(browsertest.Enter())
			anna.see(`document.querySelector('.picture button')`)
		}
	}
	look("picture")
	anna.run(`document.querySelector('.picture button').click()`)
	anna.see(`document.querySelector('.picture img')?.naturalWidth > 0`)
	anna.run(`document.querySelector('.picture .enlarge').click()`)
	look("large")
	anna.do(browsertest.Escape())
	anna.check(`!document.querySelector('.large')`, chatting)
	chat.tell(fields{"type": "left", "pair": 1, "reason": "next"})
	chat.tell(fields{"type": "undelivered", "pair": 1, "n": 1})
	anna.see(left, `document.querySelector('.undelivered')`)
	look("left")
	anna.run(`document.getElementById('auto').click()`)
	anna.see(`!document.getElementById('stay').hidden`)
	look("countdown")
	anna.run(`document.getElementById('auto').click()`)

	anna.see(settled)
	chat.records()
	anna.run(`document.getElementById('go').click()`)
	anna.see(looking)
	chat.obeyed("next") // or the answer to it would come behind what is told next
	chat.tell(fields{"type": "paired", "pair": 2, "common": []string{"go"}})
	anna.see(chatting, `document.querySelector('.former')`)
	look("former")
	chat.tell(fields{"type": "left", "pair": 2, "reason": "closed"})
	anna.see(left)

	chat.refuse(true)
	chat.cut()
	anna.see(reconnecting, `!document.getElementById('retry').hidden`)
	anna.do(browsertest.Enter())
	look("reconnecting")
	chat.refuse(false)
	anna.see(`!document.getElementById('retry').hidden || document.documentElement.dataset.state === 'left'`)
	anna.run(`document.getElementById('retry').click()`)
	anna.see(left)
	chat.dismiss(websocket.StatusPolicyViolation)
	anna.see(ended)
	look("ended")
	anna.run(`document.getElementById('hide').click()`)
	anna.see(`!document.getElementById('cover').hidden`)
	look("hidden")
}

// shoot takes the page as it is on a phone and on a desk, by day and by night. No
// motion is asked for: a picture should not depend on its moment.
func (p person) shoot(folder, name string) {
	p.t.Helper()
	for _, screen := range screens {
		for _, scheme := range []string{"light", "dark"} {
			p.do(emulate(scheme))
			p.fit(name, screen)
			file := fmt.Sprintf("%s-%dx%d-%s.png", name, screen[0], screen[1], scheme)
			p.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
				picture, err := chromedp.CaptureScreenshot()(ctx, tab)
				if err != nil {
					return err
				}
				return os.WriteFile(filepath.Join(folder, file), picture, 0o644)
			}))
		}
	}
}

// screens are the sizes of windows: a phone, a desk, a phone on its side with the keyboard
// up, and a desk with letters four times as large.
var screens = [][2]int64{{390, 844}, {1280, 800}, {640, 180}, {320, 200}}

// fit makes the window as large as screen, and sees that the page, in the state of this
// name, is not wider, has its newest line in sight, and rests.
func (p person) fit(name string, screen [2]int64) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(screen[0], screen[1]), browsertest.Wait(fmt.Sprintf(`innerWidth === %d`, screen[0])))
	if name != "404" && name != "hidden" && name != "large" {
		p.see(atEnd + ` || !document.getElementById('table').hidden || document.getElementById('log').childElementCount === 0`)
	}
	p.check(`document.documentElement.scrollWidth <= innerWidth`, `document.getAnimations().length === 0`)
}

// emulate sets the colour scheme, and asks for no motion.
func emulate(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme},
				{Name: "prefers-reduced-motion", Value: "reduce"},
			},
		})
		return err
	})
}
