package web_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/coder/websocket"

	"roulette/web/stranger"
)

// said is every record that a page takes notice of, as a server says it; those that end
// a chat come last.
var said = []string{
	`{"type":"waiting","alone":true,"patience":5}`,
	`{"type":"paired","pair":1,"again":false,"common":["go"],"common_languages":["de"],"opening":"a"}`,
	`{"type":"typing","pair":1,"on":true}`,
	`{"type":"away","pair":1,"reason":"hidden"}`,
	`{"type":"back","pair":1}`,
	`{"type":"online","n":7}`,
	`{"type":"notice","code":"restart","until":9999999999}`,
	`{"type":"undelivered","pair":1,"n":1}`,
	`{"type":"stamp","pair":1,"n":1,"mark":"a"}`,
	`{"type":"reported"}`,
	`{"type":"blocked","name":"a"}`,
	`{"type":"error","code":"rate_limited","message":"a"}`,
	`{"type":"pong","n":1}`,
	`{"type":"again","pair":1}`,
	`{"type":"hello","session":"s","online":7,"max_message":65536}`,
	`{"type":"hello","can":["heartbeat","away","report","resume"],"heartbeat":25,"people":7}`,
	`{"type":"paired","pair":1,"common":[],"resume":"token"}`,
	`{"type":"away","pair":1,"reason":"lost"}`,
	`{"type":"resumed","pair":1,"resume":"token"}`,
	`{"type":"sync","pair":1,"gen":1}`,
	`{"type":"back","pair":1,"gen":1,"have":0}`,
	`{"type":"resend","pair":1,"from":1,"lost":0}`,
	`{"type":"have","pair":1,"n":0}`,
	`{"type":"left","pair":1,"reason":"next"}`,
	`{"type":"proof","seed":"a","bits":2}`,
}

// testHostileRecords puts values that nobody expects (package stranger) into every field
// of every record. The page throws nothing, lays out little, and goes on.
func testHostileRecords(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	anna.run(`window.thrown = [];
		window.longest = '';
		addEventListener('error', ({ message }) => thrown.push(message));
		addEventListener('unhandledrejection', ({ reason }) => thrown.push(String(reason)));
		new MutationObserver((changes) => {
			for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
				const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
				for (let text = texts.currentNode; text; text = texts.nextNode()) {
					if (text.data?.length > longest.length) longest = text.data;
				}
			}
		}).observe(document.body, { subtree: true, childList: true });`)
	values := stranger.Values(*textSeed)
	anna.press()
	anna.see(looking)
	client := chat.now()[0]
	for n, text := range said {
		var record map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &record); err != nil {
			t.Fatal(err)
		}
		for _, field := range slices.Sorted(maps.Keys(record)) {
			for _, value := range values {
				before := record[field]
				record[field] = json.RawMessage(value.JSON)
				hostile, err := json.Marshal(record)
				if err != nil {
					t.Fatal(err)
				}
				client.write(websocket.MessageText, slices.Concat([]byte("\x1e"), hostile, []byte("\n\x1e"+text+"\n")))
				record[field] = before
			}
		}
		chat.tell(fields{"type": "online", "n": 1000 + n})
		anna.see(fmt.Sprintf(`document.getElementById('online').textContent.startsWith('1,0%02d')`, n))
		switch anna.ask(`document.documentElement.dataset.state`) {
		case "idle", "left":
			chat.records()
			anna.press()
			anna.see(looking)
			chat.obeyed("next") // or the answer to it would come behind what is told next
			fallthrough
		case "looking":
			chat.tell(fields{"type": "paired", "pair": 1, "common": []string{}, "resume": "token"})
			anna.see(chatting)
		}
		if wrong := anna.ask(`thrown.join('; ')`); wrong != "" {
			t.Errorf("%s: %s", text, wrong)
			anna.run(`thrown.length = 0`)
		}
	}
	anna.check(`longest.length <= 500 || longest`, `document.querySelectorAll('#shared li').length <= 15`)
}
