package web_test

import (
	"testing"

	"roulette/web/browsertest"
)

// TestPlainServer runs the page against a server without the subprotocol.
func TestPlainServer(t *testing.T) {
	crowd := newCrowd(t)
	for _, test := range []struct {
		name string
		run  func(t *testing.T, chat *fakeChat, enter func() person)
	}{
		{"two people talk", testPlainTalk},
		{"nobody there", testPlainNobodyThere},
		{"the server drops and comes back", testPlainDrop},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			chat := newFakeChat(t, true)
			test.run(t, chat, func() person {
				t.Helper()
				return crowd.visit(t, chat, open)
			})
		})
	}
}

func testPlainTalk(t *testing.T, chat *fakeChat, enter func() person) {
	anna, ben := enter(), enter()
	anna.check(sendable, button("Stop"), `document.getElementById('online').hidden`)
	anna.say("Hello, whoever you are")
	ben.see(last("stranger", "Hello, whoever you are"))
	ben.say("Hi!")
	anna.see(last("stranger", "Hi!"))
	ben.press()
	ben.press()
	ben.see(inState("closed", "Not connected"), last("note", "You have left."))
	ben.press()
	ben.see(open)
	ben.say("again")
	anna.see(last("stranger", "again"))
}

func testPlainNobodyThere(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	anna.write("Hello?")
	anna.do(browsertest.Enter())
	anna.see(last("note", "Nobody is there yet: your last message reached nobody."))
	anna.check(`document.querySelectorAll('.stranger').length === 0`)
}

func testPlainDrop(t *testing.T, chat *fakeChat, enter func() person) {
	anna := enter()
	chat.refuse(true)
	chat.cut()
	anna.see(reconnecting, `!document.getElementById('notice').hidden`, last("note", "The connection was lost."))

	anna.failToSend("still here?")

	chat.refuse(false)
	anna.see(open, `document.getElementById('notice').hidden`)
	ben := enter()
	anna.check(`document.getElementById('warning').innerText === ''`)
	anna.do(browsertest.Enter())
	ben.see(last("stranger", "still here?"))
}
