package server

import "roulette/netpoll"

// What the server keeps in the 16 bits of netpoll.Conn.State:
//
//	bits 0–1   kind
//	bits 2–3   stage
//	bits 4–11  flags
//	bits 12–15 refusal that its request gets

// kind is what a connection was upgraded to; it keeps it to the end.
type kind uint16

const (
	noChat   kind = iota // not upgraded
	plain                // on /ws
	echo                 // on /echo
	richKind             // on /ws, with the subprotocol

	kindMask = 1<<2 - 1
)

// stage is how far a connection is in its life; it only goes forward.
type stage uint16

const (
	handshaking stage = iota << 2
	open              // a chat: idle, waiting or paired, or on /echo
	ended             // counted as such, out of the table; only the descriptor lives on

	stageMask = (1<<2 - 1) << 2
)

// Flags in the state.
const (
	pinged     = 1 << (4 + iota) // a ping is out and nothing has come since
	rateWarned                   // the rate limit was exceeded
	attributed                   // Conn.Key is counted in the address table
	proxied                      // from a trusted proxy, whose request says for whom
	headerDue                    // a PROXY protocol header must come first
	hiding                       // the page is in the background
	helloDue                     // a ClientHello must come first, but for that header
	resumes                      // the client can resume
)

const (
	refusalShift = 12
	refusalMask  = 0xf << refusalShift
)

// The refusals fit, or this does not compile.
var _ [16 - lastRefusal]struct{}

func kindOf(c *netpoll.Conn) kind { return kind(c.State() & kindMask) }

func stageOf(c *netpoll.Conn) stage { return stage(c.State() & stageMask) }

// isOpen tells whether c is an open chat, also of a connection that may have been
// closed. Any goroutine.
func isOpen(c *netpoll.Conn) bool { return stageOf(c) == open }

// isRich tells whether c is an open chat of a rich client. Any goroutine.
func isRich(c *netpoll.Conn) bool {
	return c.State()&(kindMask|stageMask) == uint16(richKind)|uint16(open)
}

func setOpen(c *netpoll.Conn, k kind) { c.SetState(uint16(k)|uint16(open), kindMask|stageMask) }

func setEnded(c *netpoll.Conn) { c.SetState(uint16(ended), stageMask) }

// refusalOf is what c's request is to be refused with; admitted: it is not.
func refusalOf(c *netpoll.Conn) refusal { return refusal(c.State() >> refusalShift) }

func setRefusal(c *netpoll.Conn, r refusal) { c.SetState(uint16(r)<<refusalShift, refusalMask) }

func has(c *netpoll.Conn, flag uint16) bool { return c.State()&flag != 0 }

func setFlag(c *netpoll.Conn, flag uint16) { c.SetState(flag, flag) }

func clearFlag(c *netpoll.Conn, flag uint16) { c.SetState(0, flag) }
