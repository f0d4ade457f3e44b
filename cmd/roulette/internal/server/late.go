package server

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"roulette/cmd/roulette/internal/tlsfront"
	"roulette/frame/handshake"
	"roulette/netpoll"
)

// Connections that come home when all has been handed over, from a TLS handshake or
// from net/http, go to the successor as well; see handover's latecomers.

// latecomer is what is said of one besides its carry.
type latecomer struct {
	carry *carry
	// From its handshake: how that ended, and how long it took. From net/http: the
	// carry has a request, all of which has come.
	result tlsfront.Result
	took   time.Duration
}

func (l *latecomer) append(dst []byte) []byte {
	w := writer{b: append(dst, newestState)}
	w.uints(uint64(l.result), uint64(l.took))
	return l.carry.append(w.b, newestState)
}

func parseLatecomer(b []byte) (l latecomer, err error) {
	r := reader{b: b}
	if version := r.byte(); version < oldestState || version > newestState {
		return l, errCarry
	} else {
		r.version = version
	}
	l.result, l.took = tlsfront.Result(r.uint(uint64(tlsfront.Failed))), time.Duration(r.uint(math.MaxInt64))
	if r.err != nil {
		return l, r.err
	}
	var rest []byte
	l.carry, rest, err = parseCarry(r.b, r.version)
	if err == nil && len(rest) > 0 {
		err = errCarry
	}
	return l, err
}

// passOn gives the successor c, which has just come home to be settled: nobody has
// read its socket since. False: there is none, or it does not take it.
func (h *handler) passOn(c *netpoll.Conn, unread []byte, request *request, o tlsfront.Outcome) bool {
	pass := h.server.successor.Load()
	if pass == nil {
		return false
	}
	k, err := h.describeConn(c)
	if err == nil {
		k.conn.Unread = unread
		if request != nil {
			k.request = request
		}
		l := latecomer{carry: k, result: o.Result, took: o.Took}
		err = (*pass)(c.FD(), l.append(nil))
	}
	if err != nil {
		h.server.log.Warn("successor does not take a connection", "error", err)
		return false
	}
	return true
}

// Latecomer takes a connection that the predecessor passes on. Any goroutine.
func (s *Server) Latecomer(fd int, b []byte) error {
	l, err := parseLatecomer(b)
	if err != nil {
		return err
	}
	k := l.carry
	if err := s.restoreCodec(k); err != nil {
		return err
	}
	if s.poller.Count() >= s.most {
		return netpoll.ErrNoPlace
	}
	d := k.conn
	d.FD = fd
	if r := k.request; r != nil && r.isWhole() {
		n, _ := handshake.HeadEnd(r.bytes, 0)
		s.took(s.adopt(netpoll.Detached{FD: fd, Codec: d.Codec, Unread: d.Unread}, r.client, r.bytes[:n], r.bytes[n:]))
		return nil
	}
	if k.request != nil {
		d.Held = k.request
	}
	s.took(s.poller.Adopt(d, func(nh netpoll.Handler, c *netpoll.Conn) {
		h := nh.(*handler)
		h.readmit(c, k.network)
		h.lobby.shaken(c, d.Unread, tlsfront.Outcome{Result: l.result, Took: l.took})
	}))
	return nil
}

// took looks at what has become of a latecomer. After an error it is closed: the
// server has ended.
func (s *Server) took(err error) {
	if err != nil {
		s.log.Warn("latecomer lost", "error", fmt.Errorf("server: %w", err))
	}
}

// isWhole tells whether all of the request's head has come.
func (r *request) isWhole() bool {
	n, err := handshake.HeadEnd(r.bytes, 0)
	return err == nil && n > 0
}

// fromPages is the request of a connection that net/http had.
func fromPages(client netip.Addr, head, rest []byte) *request {
	return &request{bytes: append(append([]byte(nil), head...), rest...), client: client}
}
