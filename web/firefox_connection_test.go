package web_test

import (
	"testing"

	"roulette/web/browsertest"
)

// TestFirefoxConnection: refused, gone and in a black hole, in another engine.
func TestFirefoxConnection(t *testing.T) {
	t.Parallel()
	chat := newFakeChat(t, false)
	hole := newBlackHole(t, chat.url)
	fox := browsertest.StartFirefox(t)

	// Refused at first it waits, says why, and is a rich client in the end.
	chat.refuse(true)
	fox.BeforeLoad(`Math.random = () => 1`)
	fox.Navigate(hole.url)
	fox.Wait(`document.documentElement.dataset.state === 'reconnecting' && document.getElementById('explanation').textContent.startsWith('The server is full')`)
	chat.refuse(false)
	fox.Run(`document.getElementById('retry').click()`)
	fox.Wait(idle)

	// Who goes elsewhere has left.
	ben := talkTo(t, chat.url)
	fox.Run(`document.getElementById('go').click()`)
	fox.Wait(chatting)
	ben.until("paired")
	fox.Navigate("about:blank")
	ben.until(`"left"`)

	// A network that takes everything and gives nothing is noticed.
	fox.BeforeLoad(stoppedClock)
	fox.Navigate(hole.url)
	fox.Wait(idle)
	carl := talkTo(t, chat.url)
	fox.Run(`document.getElementById('go').click()`)
	fox.Wait(chatting)
	carl.until("paired")
	hole.closed.Store(true)
	fox.Run(`const field = document.getElementById('field');
		field.value = 'into the hole';
		document.getElementById('composer').requestSubmit()`)
	fox.Run(`Math.random = () => 0;
		pass(8_000);
		if (document.getElementById('status').textContent !== 'Slow…') throw new Error('not slow: ' + document.body.innerText);
		pass(12_000);
		if (document.documentElement.dataset.state !== 'reconnecting') throw new Error('not lost');
		if (document.querySelector('.uncertain .text')?.textContent !== 'into the hole') throw new Error('as if it had arrived')`)
	hole.closed.Store(false)
	fox.Run(`pass(15_000)`)
	fox.Wait(left)
}
