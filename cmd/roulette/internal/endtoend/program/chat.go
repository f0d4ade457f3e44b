package program

import (
	"testing"

	"roulette/cmd/roulette/internal/servertest"
)

// Text is a text message of a client.
func Text(s string) []byte { return servertest.Encode(servertest.Fin|servertest.OpText, s) }

// Sorry is what the server answers a client who has no partner.
const Sorry = "Sorry you dont have partner yet, check back in a minute"

// Meet returns two clients of the program, which must have no others, that have
// found each other.
func Meet(t testing.TB, addrA, addrB string) (a, b *servertest.Conn) {
	t.Helper()
	a = servertest.Dial(t, addrA, "/ws")
	// A client who has got an answer to a message is in the pool; one who has only
	// got an answer to the handshake may still be on the way there.
	a.Write(Text("anybody?"))
	a.Expect(servertest.OpText, Sorry)
	return a, servertest.Dial(t, addrB, "/ws")
}

// Converse lets two clients of the program find each other and talk.
func Converse(t testing.TB, addr string) {
	t.Helper()
	a, b := Meet(t, addr, addr)
	b.Write(Text("hello"))
	a.Expect(servertest.OpText, "hello")
	a.Write(Text("good day"))
	b.Expect(servertest.OpText, "good day")
	a.Leave()
	b.Leave()
}
