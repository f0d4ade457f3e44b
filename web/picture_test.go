package web_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"roulette/web/browsertest"
)

func testPictures(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	meet(anna, ben)
	// A photograph that is far too big: noise, which nothing compresses.
	anna.run(`const canvas = Object.assign(document.createElement('canvas'), { width: 720, height: 520 });
		const context = canvas.getContext('2d');
		const noise = context.createImageData(720, 520);
		for (let i = 0; i < noise.data.length; i++) noise.data[i] = i % 4 === 3 ? 255 : 256 * Math.random();
		context.putImageData(noise, 0, 0);
		const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
		if (blob.size < 1 << 20) throw new Error('only ' + blob.size + ' bytes');
		const files = new DataTransfer();
		files.items.add(new File([blob], 'photo.png', { type: 'image/png' }));
		document.getElementById('field').dispatchEvent(new ClipboardEvent('paste', { clipboardData: files, bubbles: true, cancelable: true }));`)
	anna.see(`!document.getElementById('preview').hidden`, focusedField)
	anna.check(`document.querySelectorAll('.message').length === 0`) // not before a second look
	anna.write("my window")
	anna.do(browsertest.Enter())
	anna.see(`document.querySelector('.you .picture img')?.naturalWidth > 0`, last("you", "my window"), `document.getElementById('preview').hidden`)
	ben.see(last("stranger", "my window"))
	ben.check(`document.querySelectorAll('#log img').length === 0`,
		`/^A picture \(\d+ KB\)\. It may show anything: you decide\.$/.test(document.querySelector('.picture p').innerText)`)
	ben.do(chromedp.Click(chromedp.CSS(".picture button")))
	ben.see(`((image) => image?.naturalWidth >= 200 && image.src.startsWith('blob:') && image.alt === 'Picture from the stranger')(document.querySelector('.picture img'))`)
	ben.see(atEnd)

	// As large as the window, and small again; hidden, and shown again.
	ben.run(`document.querySelector('.picture .enlarge').click()`)
	ben.check(`((large) => large.clientWidth === innerWidth && large.clientHeight === innerHeight)(document.querySelector('.large'))`)
	ben.do(browsertest.Escape())
	ben.check(`!document.querySelector('.large')`, chatting)
	ben.do(chromedp.Click(chromedp.CSS(".picture .enlarge + button")))
	ben.check(`document.querySelectorAll('.picture img').length === 0`)
	ben.do(chromedp.Click(chromedp.CSS(".picture button")))
	ben.check(`document.querySelector('.picture img').naturalWidth >= 200`)

	// Where it can be dropped is seen while it is over the page, and of a file alone.
	anna.run(`window.over = (kind, type, to = null) => {
			const files = new DataTransfer();
			if (type === 'file') files.items.add(new File(['x'], 'x.png', { type: 'image/png' }));
			else files.items.add('some words', 'text/plain');
			document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: files, relatedTarget: to, bubbles: true, cancelable: true }));
			return document.querySelector('.drop').clientHeight > 0;
		};
		if (over('dragover', 'text')) throw new Error('words are not for dropping');
		if (!over('dragover', 'file')) throw new Error('nothing shows where');
		if (!over('dragleave', 'file', document.querySelector('header'))) throw new Error('it is still over the page');
		if (over('dragleave', 'file')) throw new Error('it has left the page');
		over('dragover', 'file')`)

	// Dropped, looked at, and put away again.
	anna.run(`const canvas = Object.assign(document.createElement('canvas'), { width: 30, height: 20 });
		canvas.getContext('2d').fillRect(0, 0, 30, 20);
		window.small = await new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
		window.drop = (name, file) => {
			const files = new DataTransfer();
			files.items.add(new File([file], name, { type: file.type }));
			const event = new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true });
			if (document.body.dispatchEvent(event)) throw new Error('the browser would open it');
		};
		drop('small.png', window.small)`)
	anna.see(`!document.getElementById('preview').hidden`)
	anna.check(`document.querySelector('.drop').clientHeight === 0`)
	anna.do(chromedp.Click(chromedp.CSS("#preview button")))
	anna.see(`document.getElementById('preview').hidden`, focusedField)

	anna.run(`drop('evil.svg', new Blob(['<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'], { type: 'image/svg+xml' }))`)
	anna.see(warning("Only pictures"))
	anna.run(`drop('letter.txt', new Blob(['Dear'], { type: 'text/plain' }))`)
	anna.see(warning("Only pictures"), `document.getElementById('preview').hidden`)

	// Cells of a spreadsheet are text, and a picture of their looks; a file may come with its name.
	anna.run(`window.paste = (text) => {
			const both = new DataTransfer();
			if (text) both.setData('text/plain', text);
			both.items.add(new File([window.small], 'image.png', { type: 'image/png' }));
			const event = new ClipboardEvent('paste', { clipboardData: both, bubbles: true, cancelable: true });
			return document.getElementById('field').dispatchEvent(event); // whether the browser pastes the text
		};
		if (!paste('1\t2\n3\t4\n')) throw new Error('the text is lost');
		if (paste('file:///home/anna/image.png')) throw new Error('the picture is lost')`)
	anna.see(`!document.getElementById('preview').hidden`)
	anna.do(chromedp.Click(chromedp.CSS("#preview button")))

	// A picture, too, is for one stranger alone.
	anna.run(`drop('small.png', window.small)`)
	anna.see(`!document.getElementById('preview').hidden`)
	ben.leave()
	anna.see(left)
	meet(anna, ben)
	anna.check(`document.getElementById('preview').hidden`)
}

// decode is for a picture of a few bytes.
func decode(text string) []byte {
	picture, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return picture
}

// moving is a GIF of so many frames of one pixel each, on a screen of this width and height.
func moving(frames, side int) []byte {
	picture := []byte("GIF89a\x00\x00\x00\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff")
	binary.LittleEndian.PutUint16(picture[6:], uint16(side))
	binary.LittleEndian.PutUint16(picture[8:], uint16(side))
	for range frames {
		picture = append(picture, "\x21\xf9\x04\x04\x02\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x4c\x01\x00"...)
	}
	return append(picture, 0x3b)
}

// chunked is a PNG with one more chunk behind its header.
func chunked(png []byte, name string, data []byte) []byte {
	const header = 8 + 25
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	chunk = append(append(chunk, name...), data...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	return slices.Concat(png[:header], chunk, png[header:])
}

func testHostilePictures(t *testing.T, chat *fakeChat, enter func() person) {
	gif := decode("R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==")
	png := decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
	huge := append([]byte(nil), png...)
	huge[18], huge[22] = 0x7f, 0x7f // 32513 pixels a side
	// What the first bytes promise is not what comes: a frame is larger than the screen.
	larger := append([]byte(nil), gif...)
	copy(larger[19+5:], []byte{0xff, 0x7f, 0xff, 0x7f})
	anna, ben := enter(), enter()
	meet(anna, ben)
	for _, test := range []struct {
		description string
		data        []byte
		picture     bool // begins like one
		shown       bool
	}{
		{"GIF", gif, true, true},
		{"PNG", png, true, true},
		{"a PNG of a billion pixels", huge, false, false},
		{"a GIF with a frame of a billion pixels", larger, false, false},
		{"a GIF of a thousand frames", moving(1000, 1), false, false},
		{"a large GIF that moves", moving(2, 2000), false, false},
		{"a GIF that moves", moving(30, 1), true, true},
		{"a PNG that moves without end", chunked(png, "acTL", []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}), false, false},
		{"half a PNG", png[:40], true, false},
		{"the first bytes of a PNG", png[:12], false, false},
		{"SVG", []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), false, false},
		{"HTML", []byte(`<script>alert(1)</script>`), false, false},
		{"HTML that calls itself GIF", []byte("GIF89a\x01\x00\x01\x00<script>document.title = 'owned'</script>"), true, false},
		{"a JPEG without a frame", []byte("\xff\xd8\xff\xe0\x00\x00\xff\xff"), false, false},
		{"a JPEG with lengths of zero", append([]byte("\xff\xd8"), make([]byte, 900)...), false, false},
		{"WebP cut short", []byte("RIFF\x00\x00\x00\x00WEBPVP8 "), false, false},
		{"nothing", nil, false, false},
		{"the first character of a record", []byte("\x1e{\"type\":\"left\",\"pair\":1}"), false, false},
	} {
		chat.now()[0].write(websocket.MessageBinary, test.data)
		ben.say(test.description)
		anna.see(last("stranger", test.description))
		if !test.picture {
			anna.check(fmt.Sprintf(`document.getElementById('log').children[document.getElementById('log').childElementCount - 2].innerText.replaceAll(',', '').startsWith('Stranger sent a file of %d bytes')`, len(test.data)))
			continue
		}
		anna.run(`document.querySelector('.message:nth-last-child(2) .picture button').click()`)
		if test.shown {
			anna.see(`document.querySelector('.message:nth-last-child(2) .picture img')?.naturalWidth === 1`)
		} else {
			// Or an empty picture, as browsers differ in what they forgive.
			anna.see(`((picture) => picture.innerText === 'This picture cannot be shown.' || picture.querySelector('img'))(document.querySelector('.message:nth-last-child(2) .picture'))`)
		}
	}
	anna.check(chatting, `document.title === 'Roulette: talk to a stranger'`)
}
