package server

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
	"unsafe"

	"roulette/cmd/roulette/internal/admin"
	"roulette/cmd/roulette/internal/tlsfront"
	"roulette/frame/handshake"
	"roulette/frame/tls13"
	"roulette/metrics"
	"roulette/netpoll"
)

// Where a connection comes in.
const (
	doorPlain netpoll.Door = iota
	doorTLS                // a ClientHello comes first
)

// hotKeys bounds the expanded keys of a worker, about a kilobyte each, and coolAfter is
// how long one that nobody uses stays: it has gone by the time that the memory which a
// crowd has left is given back.
const (
	hotKeys   = 16 << 10
	coolAfter = 500 * time.Millisecond
)

// TLS is what a Server needs for it.
type TLS struct {
	Front *tlsfront.Front
	// Certificates tells how those in use are doing.
	Certificates interface {
		NotAfter() time.Time
		Loads() (ok, failed uint64)
	}
	HTTPS
}

func (t *TLS) notAfter() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Certificates.NotAfter()
}

func (t *TLS) loads() (n [metrics.LoadResults]uint64) {
	if t != nil {
		n[metrics.LoadOK], n[metrics.LoadFailed] = t.Certificates.Loads()
	}
	return n
}

// status is what an operator sees of it.
func (t *TLS) status() []admin.Setting {
	if t == nil {
		return nil
	}
	until := "there is none yet"
	if at := t.notAfter(); !at.IsZero() {
		until = at.UTC().Format(time.DateTime) + " UTC"
	}
	ok, failed := t.Certificates.Loads()
	return []admin.Setting{
		{Name: "TLS: the first certificate expires", Value: until},
		{Name: "TLS: certificates read or obtained, failed", Value: fmt.Sprintf("%d, %d", ok, failed)},
		{Name: "TLS: handshakes under way", Value: strconv.Itoa(t.Front.Open())},
	}
}

// shaking is how many TLS handshakes are under way: connections that no worker has.
func (s *Server) shaking() int {
	if s.config.TLS == nil {
		return 0
	}
	return s.config.TLS.Front.Open()
}

// endHandshakes cuts short those that are under way.
func (s *Server) endHandshakes() {
	if s.config.TLS != nil {
		s.config.TLS.Front.Close()
	}
}

// codec is a connection's record layer, as netpoll wants it.
type codec struct {
	netpoll.Coded
	session tls13.Session
}

// codecOf is the codec that k is in: its first field.
func codecOf(k *netpoll.Coded) netpoll.Codec { return (*codec)(unsafe.Pointer(k)) }

var _ [0 - unsafe.Offsetof(codec{}.Coded)]struct{}

// codecs are those of chats that live together: one piece of memory for all of them,
// in which nothing of their handshakes lies between.
type codecs [netpoll.Places]codec

// settleCodec gives c's codec, if it has one, its place beside the connection, for
// good: a chat is detached no more.
func settleCodec(c *netpoll.Conn) {
	k, ok := c.Codec().(*codec)
	if !ok {
		return
	}
	beside, place := besideOf(c)
	all := beside.codecs.Load()
	if all == nil {
		all = new(codecs)
		beside.codecs.Store(all)
	}
	to := &all[place]
	to.session = k.session
	c.MoveCodec(to)
	k.session = tls13.Session{}
}

// forgetCodec leaves no secret of c, which is closed, in its place.
func forgetCodec(c *netpoll.Conn) {
	if k, ok := c.Codec().(*codec); ok && stageOf(c) != handshaking {
		c.Lock()
		k.session.Wipe()
		c.Unlock()
	}
}

// keysOf is where a worker keeps the hot keys. Without a worker there are none.
func keysOf(by *netpoll.Worker) *tls13.Keys {
	if by == nil {
		return tls13.NewKeys(1)
	}
	return (*by.Local()).(*tls13.Keys)
}

// Shape implements [netpoll.Codec].
func (k *codec) Shape() (before, most, after int) {
	return tls13.HeaderSize, tls13.MostData, tls13.RoomAfter
}

// Open implements [netpoll.Codec].
func (k *codec) Open(by *netpoll.Worker, b []byte) (plain []byte, length int, s netpoll.Signal, err error) {
	plain, length, owes, err := k.session.Open(keysOf(by), b)
	if owes {
		s = netpoll.OwnDue
	}
	if err == io.EOF {
		return nil, length, netpoll.PeerEnded, nil
	}
	return plain, length, s, err
}

// Seal implements [netpoll.Codec].
func (k *codec) Seal(by *netpoll.Worker, record []byte) (due bool) {
	return k.session.Seal(keysOf(by), record)
}

// Own implements [netpoll.Codec].
func (k *codec) Own(by *netpoll.Worker, dst []byte) []byte {
	return k.session.AppendOwed(keysOf(by), dst)
}

// End implements [netpoll.Codec].
func (k *codec) End(by *netpoll.Worker, dst []byte) []byte {
	return k.session.AppendEnd(keysOf(by), dst)
}

// AppendState writes down what restoreCodec reads.
func (k *codec) AppendState(dst []byte) []byte { return k.session.Append(dst) }

func restoreCodec(state []byte) (netpoll.Codec, error) {
	session, rest, err := tls13.Parse(state)
	if err != nil || len(rest) > 0 {
		return nil, tls13.ErrCarried
	}
	return &codec{session: *session}, nil
}

func (h *handler) coolKeys() {
	if h.keys != nil && h.worker.Now()-h.cooled >= milliseconds(coolAfter) {
		h.cooled = h.worker.Now()
		h.keys.Cool()
	}
}

// hello gathers the first record of a client that is to speak TLS.
func (l *lobby) hello(c *netpoll.Conn, b []byte) {
	held, _ := c.Held().(*request)
	if held != nil {
		held.bytes = append(held.bytes, b...) // few: of what is not whole Hello has seen the length
		b = held.bytes
	}
	size, result := tlsfront.Hello(b)
	switch {
	case result != tlsfront.OK:
		l.refuseHello(c, result)
	case size > 0:
		l.shake(c, slices.Clone(b))
	case held == nil:
		held = requests.Get().(*request)
		held.bytes = append(held.bytes, b...)
		c.Hold(held)
	}
}

// refuseHello ends a connection whose handshake does not begin.
func (l *lobby) refuseHello(c *netpoll.Conn, result tlsfront.Result) {
	l.counters.TLSHandshakes[result]++
	answer := result.AppendAnswer(l.reply[:0])
	if result == tlsfront.PlainHTTP {
		answer = handshake.AppendRefusal(l.reply[:0], 400, "this port speaks TLS: use https:// or wss://", 0)
	}
	l.dismiss(c, answer)
}

// shake has c's handshake made elsewhere (T3); c comes home afterwards. read is all
// that it has sent.
func (l *lobby) shake(c *netpoll.Conn, read []byte) {
	s, now := l.server, l.worker.Now()
	if l.hasty(c) {
		l.note(c, metrics.RejectHandshakeRate)
		l.refuseHello(c, tlsfront.Busy)
		return
	}
	front := s.config.TLS.Front
	client := tlsfront.Client{Address: c.Key, Counted: has(c, attributed)}
	if !front.Admit(client) {
		l.refuseHello(c, tlsfront.Busy)
		return
	}
	deadline := time.Now().Add(l.rules.HandshakeTimeout - time.Duration(now-c.Opened())*time.Millisecond)
	if held, _ := c.Held().(*request); held != nil {
		if held.bytes = held.bytes[:0]; !held.client.IsValid() {
			releaseRequest(c)
		}
	}
	d := c.Detach()
	front.Handshake(tlsfront.Arrival{Client: client, FD: d.FD, Read: read, Deadline: deadline}, func(o tlsfront.Outcome) {
		s.shaken(d, o)
	})
}

// shaken gives the connection d, whose handshake is over, to a worker. Any
// goroutine.
func (s *Server) shaken(d netpoll.Detached, o tlsfront.Outcome) {
	d.FD, d.Heard = o.FD, 0
	d.Opened += milliseconds(o.Took)
	if o.Session != nil {
		d.Codec, d.Unread = &codec{session: *o.Session}, o.Unread
	}
	if o.FD < 0 { // nobody can answer it; only what it held is given back
		w := s.poller.Workers()[0]
		_ = w.Ask(func() { w.Handler().(*handler).lobby.lose(d, o.Result) })
		return
	}
	// An error: the server has ended, and the descriptor is closed.
	_ = s.poller.Adopt(d, func(nh netpoll.Handler, c *netpoll.Conn) { nh.(*handler).lobby.shaken(c, d.Unread, o) })
}

// shaken takes c, which comes from its handshake; unread was read behind that.
func (l *lobby) shaken(c *netpoll.Conn, unread []byte, o tlsfront.Outcome) {
	if o.Result.Good() && l.chats.passOn(c, unread, nil, o) {
		l.chats.letGo(c).Abandon()
		return
	}
	l.counters.TLSHandshakes[o.Result]++
	clearFlag(c, helloDue)
	if !o.Result.Good() {
		l.dismiss(c, nil) // it has been told
		return
	}
	l.counters.TLSHandshakeDuration.Observe(int64(o.Took))
}

// lose gives back what a connection held that came from its handshake without a
// descriptor (I6).
func (l *lobby) lose(d netpoll.Detached, result tlsfront.Result) {
	l.counters.TLSHandshakes[result]++
	l.counters.Connections[metrics.ConnectionHandshaking]--
	if held, ok := d.Held.(*request); ok {
		held.release()
	}
	if d.State&attributed != 0 {
		l.server.addresses.Release(d.Key, l.worker.Now())
	}
	if d.State&refusalMask != 0 {
		l.server.turnedAway.Add(-1)
	}
}
