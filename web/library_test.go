package web_test

import "testing"

func testLibrary(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	anna.run(`const { Roulette } = await import('/roulette.js');
		const { chatURL, parseRecords } = await import('/wire.js');
		const { mayReconnect, retryDelay } = await import('/retry.js');
		const equal = (got, want, what) => {
			if (!Object.is(got, want)) throw new Error(what + ': ' + got + ', want ' + want);
		};
		equal(chatURL('http://chat.example:8080/a/b?c#d'), 'ws://chat.example:8080/ws', 'http');
		equal(chatURL('https://chat.example/'), 'wss://chat.example/ws', 'https');

		for (const code of [1001, 1005, 1006, 1011, 1012, 1013, 4400, 4408, 4429, 4453, 4499]) {
			equal(mayReconnect(code), true, code);
		}
		for (const code of [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 4000, 4409, 4500, 4599]) {
			equal(mayReconnect(code), false, code);
			equal(retryDelay(code, 0), Infinity, code);
		}

		// The wait doubles up to a bound, and is spread over all of it.
		for (const [attempts, longest] of [[0, 1000], [1, 2000], [4, 16000], [5, 30000], [2000, 30000]]) {
			equal(retryDelay(1006, attempts, () => 1), longest, 'longest wait after ' + attempts);
			equal(retryDelay(1006, attempts, () => 0), 100, 'shortest wait after ' + attempts);
		}
		equal(retryDelay(1001, 0, () => 1), 5000, 'a drain');
		equal(retryDelay(4429, 0, () => 0), 10000, 'rate limit, shortest');
		equal(retryDelay(4429, 9, () => 1), 60000, 'rate limit, longest');

		// Control, or chat.
		const R = '\u001e';
		const records = (data) => JSON.stringify(parseRecords(data));
		equal(parseRecords('hello'), null, 'chat');
		equal(parseRecords(''), null, 'an empty message');
		equal(parseRecords(' ' + R + '{"type":"left"}'), null, 'a separator further back');
		equal(parseRecords(new ArrayBuffer(3)), null, 'binary');
		equal(records(R), '[]', 'a separator alone');
		equal(records(R + '{"type":"a"}\n' + R + '{' + R + '7' + R + 'null' + R + '{"type":1}' + R + '{"type":"b"}'),
			'[{"type":"a"},{"type":"b"}]', 'several');

		// One life, from closed to closed.
		const until = (chat, state) => new Promise((resolve) => {
			const look = () => chat.state === state && resolve();
			chat.addEventListener('state', look);
			look();
		});
		const states = [], events = [];
		const anna = new Roulette();
		const ben = new Roulette();
		anna.addEventListener('state', () => states.push(anna.state));
		for (const type of ['paired', 'left', 'typing', 'refused']) {
			anna.addEventListener(type, ({ detail }) => events.push(type + JSON.stringify(detail)));
		}
		equal(anna.state, 'closed', 'at first');
		equal(anna.send('too early'), false, 'sending while closed');
		anna.connect();
		anna.connect(); // no second socket
		await until(anna, 'idle');
		equal(anna.maxMessage, 65536, 'the limit');
		equal(anna.send('to whom?'), false, 'sending while idle');
		anna.next({ interests: ['go', 'music'] });
		anna.next({ interests: ['go', 'music'] }); // skips nobody
		ben.next({ interests: ['music'] }); // connects
		await until(anna, 'chatting');
		await until(ben, 'chatting');
		const heard = new Promise((resolve) => anna.addEventListener('message', ({ data }) => resolve(data)));
		ben.typing();
		equal(ben.send('hello'), true, 'sending');
		equal(await heard, 'hello', 'a message');
		for (const bad of ['\u001e{"type":"stop"}', 'ü'.repeat(32769), new Uint8Array(65537)]) {
			let refused = 0;
			try { ben.send(bad); } catch { refused = 1; }
			equal(refused, 1, 'refusal of ' + String(bad).slice(0, 10));
		}
		ben.stop();
		equal(ben.state, 'idle', 'after stop');
		await until(anna, 'left');
		anna.next();
		await until(anna, 'looking');
		anna.close();
		equal(anna.send('too late'), false, 'sending after close');
		equal(states.join(), 'connecting,idle,looking,looking,chatting,left,looking,closed', 'states');
		equal(events.join(), 'paired{"pair":1,"back":false,"common":["music"],"languages":null,"resumes":false},typing{"on":true},typing{"on":false},left{"pair":1,"reason":"stop"}', 'events');
		ben.close();`)
	if got := chat.handshakes(); got != 3 {
		t.Errorf("%d handshakes, want one of the page and two of the script", got)
	}
}
