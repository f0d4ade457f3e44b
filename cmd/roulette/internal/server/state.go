package server

import "roulette/netpoll"

// What the server keeps in the 16 bits of netpoll.Conn.State:
//
//	bits 0–2   phase
//	bits 3–7   reason, once ended
//	bits 8–    flags
type phase uint16

const (
	handshaking phase = iota
	plain             // on /ws: waiting or paired
	echo              // on /echo
	richPhase         // on /ws, with the subprotocol: idle, waiting or paired
	ended             // a reason is set, or a refusal sent; only the descriptor lives on

	phaseMask   = 1<<3 - 1
	reasonShift = 3
	reasonMask  = (1<<5 - 1) << reasonShift
)

// Flags in the state.
const (
	pinged      = 1 << (8 + iota) // a ping is out and nothing has come since
	rateWarned                    // the rate limit was exceeded
	counted                       // Conn.Addr is counted in the address table
	turnAway                      // over a limit: its request gets 503
	turnAwayFor                   // with turnAway: it is the limit per address, 429
	proxied                       // from a trusted proxy, whose request says for whom
	headerDue                     // a PROXY protocol header must come first
)

func phaseOf(c *netpoll.Conn) phase { return phase(c.State() & phaseMask) }

func setPhase(c *netpoll.Conn, p phase) { c.SetState(uint16(p), phaseMask) }

func has(c *netpoll.Conn, flag uint16) bool { return c.State()&flag != 0 }

func setFlag(c *netpoll.Conn, flag uint16) { c.SetState(flag, flag) }

func clearFlag(c *netpoll.Conn, flag uint16) { c.SetState(0, flag) }
