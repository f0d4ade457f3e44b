package server

import "roulette/netpoll"

// What the server keeps in the 16 bits of netpoll.Conn.State:
//
//	bits 0–1   kind
//	bits 2–3   stage
//	bits 4–    flags

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
	pinged      = 1 << (4 + iota) // a ping is out and nothing has come since
	rateWarned                    // the rate limit was exceeded
	counted                       // Conn.Addr is counted in the address table
	turnAway                      // over a limit: its request gets 503
	turnAwayFor                   // with turnAway: it is the limit per address, 429
	proxied                       // from a trusted proxy, whose request says for whom
	headerDue                     // a PROXY protocol header must come first
)

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

func has(c *netpoll.Conn, flag uint16) bool { return c.State()&flag != 0 }

func setFlag(c *netpoll.Conn, flag uint16) { c.SetState(flag, flag) }

func clearFlag(c *netpoll.Conn, flag uint16) { c.SetState(0, flag) }
