package web_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"roulette/web"
	"roulette/web/browsertest"
)

// TestFirefox runs in another engine what must not depend on one.
func TestFirefox(t *testing.T) {
	t.Parallel()
	s := newTurnstile(t)
	fox := browsertest.StartFirefox(t)
	address := "http://" + s.address

	// Refused, and then let in at the same address.
	s.why.Store(int32(web.Full))
	fox.Navigate(address + "/#table=ours")
	fox.Wait(`document.body.innerText.includes('Every chair is taken')`)
	s.why.Store(-1)
	fox.Follow(`document.getElementById('now').click()`)
	fox.Wait(idle + ` && location.hash === '#table=ours'`)
	fox.Run(`const files = performance.getEntriesByType('resource').filter(({ name }) => /\.(js|css)$/.test(name));
		if (files.length > 0) throw new Error('one document, and ' + files.length + ' files');`)

	// The rules are the same.
	rules, err := os.ReadFile("../frame/record/testdata/rules.json")
	if err != nil {
		t.Fatal(err)
	}
	fox.Run(rulesScript(string(rules)))

	// A chat, with what a stranger may send.
	ben := talkTo(t, address)
	ben.say("\x1e" + `{"type":"next","table":"ours"}`) // where the page sits
	fox.Run(`document.getElementById('go').click()`)
	fox.Wait(chatting) // or it says what the page shows instead
	ben.until("paired")
	for n, text := range hostileTexts(t) {
		ben.say(text.Text)
		behind := fmt.Sprintf("behind number %d", n)
		ben.say(behind)
		fox.Wait(last("stranger", behind))
		fox.Run(fmt.Sprintf(`const said = [...document.querySelectorAll('.stranger .text')].at(-2);
			if (said.textContent.length > %d || said.querySelectorAll('*').length > %d) throw new Error(%q + ': ' + said.textContent.length);
			for (const line of document.querySelectorAll('#log > .message:not(:last-child)')) line.hidden = true;`,
			mostCharacters, mostNodes, text.Description))
	}
	fox.Run(`document.getElementById('hide').click();
		if (document.getElementById('cover').hidden || document.getElementById('log').clientHeight > 0) throw new Error('in sight')`)
	ben.until(`"left"`)
}

// TestFirefoxWithoutFeatures: what it lacks, or has switched off, does not end the page.
func TestFirefoxWithoutFeatures(t *testing.T) {
	t.Parallel()
	chat := newFakeChat(t, false)
	fox := browsertest.StartFirefox(t)
	var all strings.Builder
	for _, feature := range missing {
		fmt.Fprintf(&all, "{%s}\n", feature.away)
	}
	fox.BeforeLoad(all.String())
	fox.Navigate(chat.url)
	fox.Wait(idle)
	ben := talkTo(t, chat.url)
	fox.Wait(idle)
	fox.Run(`document.getElementById('go').click()`)
	fox.Wait(chatting) // or it says what the page shows instead
	ben.until("paired")
	ben.say("hello")
	fox.Wait(last("stranger", "hello"))
	fox.Run(`document.getElementById('hide').click();
		if (document.getElementById('cover').hidden || document.getElementById('log').clientHeight > 0) throw new Error('in sight')`)
	ben.until(`"left"`)
}
