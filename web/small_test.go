package web_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image/png"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"roulette/web/browsertest"
)

// testSmallScreens: a phone on its side with the keyboard up, and letters four times as
// large (which makes a window of 1280 × 800 one of 320 × 200), leave room for the chat,
// and everything can be reached (WCAG 1.4.4, 1.4.10).
func testSmallScreens(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	look := func(state string, wanted ...string) {
		for _, size := range [][2]int64{{640, 180}, {320, 200}, {320, 256}, {390, 844}, {1280, 800}} {
			anna.do(chromedp.EmulateViewport(size[0], size[1]), browsertest.Wait(fmt.Sprintf(`innerWidth === %d && innerHeight === %d`, size[0], size[1])))
			anna.run(fmt.Sprintf(`const where = %q;
				const { height } = document.getElementById('scroller').getBoundingClientRect();
				if (height < 48) throw new Error(where + height + ' pixels are left for the chat');
				if (document.documentElement.scrollWidth > innerWidth) throw new Error(where + 'wider than the screen');
				for (const id of %q.split(' ')) {
					const node = document.getElementById(id);
					node.scrollIntoView({ block: 'nearest' });
					const box = node.getBoundingClientRect();
					if (box.left < -1 || box.right > innerWidth + 1 || box.top < -1 || box.bottom > innerHeight + 1) throw new Error(where + id + ' is out of reach: ' + JSON.stringify(box));
					const touched = document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
					if (!node.contains(touched)) throw new Error(where + id + ' is behind ' + touched?.outerHTML.slice(0, 100));
				}
				for (const node of document.querySelectorAll('button, select, input:not([type=file], [type=checkbox]), label:has(input), textarea')) {
					const box = node.getBoundingClientRect();
					if (box.width === 0) continue;
					if (box.height < 43.9 || box.width < 43.9) throw new Error(where + 'too small to touch: ' + box.width + ' × ' + box.height + ' ' + node.outerHTML.slice(0, 200));
				}`, fmt.Sprintf("%s, %d×%d: ", state, size[0], size[1]), strings.Join(wanted, " ")))
		}
		anna.do(chromedp.EmulateViewport(800, 600))
	}
	always := []string{"hide", "field", "attach", "send"}
	look("idle", append(always, "go", "interest", "add-language", "invite", "tell")...)
	meet(anna, ben)
	look("chatting", append(always, "stop", "next")...)
	ben.say("Something bad")
	anna.see(last("stranger", "Something bad"))
	anna.run(`document.getElementById('report-open').click()`)
	anna.see(`!document.getElementById('report-send').hidden`)
	look("report", "report-reason", "report-text", "report-send", "report-block")
	anna.run(`document.getElementById('report-block').click()`)
	anna.see(`document.getElementById('block').open`)
	look("block", "block-send")
	anna.run(`document.querySelector('#block .cancel').click()`)
	ben.leave()
	anna.see(left)
	look("left", append(always, "go", "back")...)
	anna.do(chromedp.Click(chromedp.CSS("#invite")))
	anna.see(looking)
	look("table", append(always, "stop", "link", "copy", "leave-table")...)
	anna.run(`document.querySelector('[popovertarget]').click()`)
	look("menu", "auto", "sound", "panic", "language", "save", "menu-report")
}

// testQR reads the codes of texts of every length with somebody else's decoder.
func testQR(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	anna.run(`const { qr } = await import('/qr.js'); window.rowsOf = qr`)
	alphabet := "https://chat.example:8443/#table=AZaz09-_äöü日本語🙂"
	for _, length := range []int{1, 14, 15, 26, 27, 42, 43, 62, 63, 84, 85, 106, 107, 122, 123, 152, 153, 180, 181, 213} {
		text := strings.Repeat(alphabet, 5)[:length]
		text = strings.ToValidUTF8(text, "")
		answer := anna.ask(fmt.Sprintf(`(() => {
			const canvas = document.createElement('canvas');
			const rows = window.rowsOf(%q);
			canvas.width = canvas.height = 4 * (rows.length + 8);
			const context = canvas.getContext('2d');
			context.fillStyle = '#fff';
			context.fillRect(0, 0, canvas.width, canvas.height);
			context.fillStyle = '#000';
			rows.forEach((row, y) => row.forEach((dark, x) => { if (dark) context.fillRect(4 * (x + 4), 4 * (y + 4), 4, 4); }));
			return canvas.toDataURL('image/png');
		})()`, text))
		_, encoded, _ := strings.Cut(answer, ",")
		content, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
		if err != nil {
			t.Fatal(err)
		}
		result, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
		if err != nil {
			t.Errorf("%d bytes: %v", length, err)
			continue
		}
		if result.GetText() != text {
			t.Errorf("%d bytes: read %q, want %q", length, result.GetText(), text)
		}
	}
	anna.run(`const { qr } = await import('/qr.js'); if (qr('x'.repeat(214)) !== null) throw new Error('too long a text has a code')`)
}
