package web_test

import (
	"encoding/json"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"roulette/web/browsertest"
	"roulette/web/stranger"
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

// testHostilePictures sends pictures that are as bad as they can be (package stranger).
// What the page takes for a picture the browser makes no larger than the page believes;
// none is decoded before somebody asks; and then it is shown, or said that it cannot be.
func testHostilePictures(t *testing.T, chat *fakeChat, enter func() person) {
	pictures := stranger.Pictures(*textSeed)
	anna, ben := enter(), enter()
	meet(anna, ben)
	list, err := json.Marshal(pictures)
	if err != nil {
		t.Fatal(err)
	}
	anna.run(`const { recognise } = await import('/picture.js');
		const wrong = [];
		for (const { Description, Data, Good } of ` + string(list) + `) {
			const bytes = Uint8Array.from(atob(Data ?? ''), (character) => character.charCodeAt(0));
			const found = recognise(bytes);
			if (!found) {
				if (Good) wrong.push(Description + ' is none');
				continue;
			}
			let bitmap;
			try {
				bitmap = await createImageBitmap(new Blob([bytes], { type: found.type }));
			} catch {
				if (Good) wrong.push(Description + ' is not shown');
				continue;
			}
			const { width, height } = bitmap;
			bitmap.close();
			if (width * height > 12e6 || width > found.width || height > found.height) wrong.push(Description + ' of ' + width + ' × ' + height);
		}
		if (wrong.length > 0) throw new Error(wrong.join('; '));`)

	client := chat.now()[0]
	for _, picture := range pictures {
		client.write(websocket.MessageBinary, picture.Data)
	}
	ben.say("these were all")
	anna.see(last("stranger", "these were all"))
	anna.check(`document.querySelectorAll('#log img').length === 0`)
	anna.run(`for (const button of document.querySelectorAll('.picture button')) button.click()`)
	anna.see(`[...document.querySelectorAll('.picture')].every((picture) => picture.querySelector('img') || picture.innerText === 'This picture cannot be shown.')`)
	anna.check(`[...document.querySelectorAll('.picture img')].every(({ naturalWidth, naturalHeight }) => naturalWidth * naturalHeight <= 12e6)`,
		`document.querySelectorAll('.picture img').length >= 5`,
		chatting, `document.title === 'Roulette: talk to a stranger'`)
}
