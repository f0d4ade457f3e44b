package server

import (
	"errors"
	"log/slog"

	"roulette/cmd/roulette/internal/safety"
	"roulette/frame/handshake"
	"roulette/frame/record"
	"roulette/netpoll"
	"roulette/pairing"
)

// What a server notes of those who chat, for the rules (safety.Rules), and what the rules
// say when they look for a partner: that is a class in the pairing table.

// judged is everything by which c's client is judged.
func (h *handler) judged(c *netpoll.Conn) (who safety.Who) {
	s := h.server
	if has(c, attributed) {
		who.Network = uint64(s.addresses.Network(c.Key))
	}
	p, shared := s.pairs.Who(seatOf(c))
	switch r := richOf(c); {
	case !shared:
		who.Person = safety.Person(p)
	case r != nil:
		who.Person = safety.OfConnection(r.holder)
	}
	return who
}

// came notes what the request of c's client, which is a chat now, looks like.
func (h *handler) came(c *netpoll.Conn, head []byte) {
	if h.server.known == nil || kindOf(c) != richKind {
		return
	}
	h.server.proofs.came.Add(1)
	h.server.scores.Came(h.judged(c).Person, handshake.Likeness(head))
}

// classify says in which class c's client looks for its next partner, and warns it if
// that is due; slow: if nothing else is said of it, among those who are.
// At a table of their own both have chosen whom they meet.
func (h *handler) classify(c *netpoll.Conn, slow bool) {
	s := h.server
	class, now := pairing.Ordinary, s.clock()
	if kindOf(c) == plain && s.config.Plain == PlainApart {
		class = pairing.Plain
	}
	if s.known == nil {
		if class != pairing.Ordinary {
			s.pairs.Classify(seatOf(c), class)
		}
		return
	}
	p, shared := s.pairs.Who(seatOf(c))
	j := s.scores.Judge(h.judged(c), now)
	if _, decided := s.bans.Shadowed(safety.Person(p), now); j.Shadow || decided && !shared {
		class = pairing.Shadow
	} else if (slow || j.Slow) && class == pairing.Ordinary {
		class = pairing.Slow
	}
	s.pairs.Classify(seatOf(c), class)
	if r := richOf(c); r != nil && j.Warned && r.can&record.CanReport != 0 {
		c.Lock()
		h.noticeLocked(c, record.AppendWarned(h.notice[:0], record.WarnedReported))
		c.Unlock()
	}
}

// noted has the rules look at what was noted of c's client.
func (h *handler) noted(c *netpoll.Conn, what ...safety.Signal) {
	s := h.server
	s.acted(s.scores.Note(h.judged(c), s.clock(), what...))
}

// spoke notes the first message of c's client in its pairing: nobody reads and writes
// so fast.
func (t *turn) spoke() {
	h := t.h
	t.rich.said.set(saidChat, true)
	if lasts, ok := h.server.pairs.Lasts(seatOf(t.c), h.worker.Now()); ok && lasts < milliseconds(safety.TooSoon) {
		h.noted(t.c, safety.SpokeAtOnce)
	}
}

// chatted notes that a pair of own's and of who was left is over.
func (h *handler) chatted(own, left partner, change *pairing.Change, why parting) {
	if h.server.known == nil {
		return
	}
	what := []safety.Signal{safety.Chatted}
	if change.Lasted >= milliseconds(safety.GoodChat) {
		what = append(what, safety.Stayed)
	}
	if own.here != nil {
		h.note(own.here, 0, what)
	}
	if why.seeks && change.Lasted < milliseconds(safety.AtOnce) {
		what = append(what, safety.LeftAtOnce)
	}
	if left.here != nil {
		h.note(left.here, change.Life, what)
	}
}

// note has c's worker, which may be this one, have the rules look at what was noted of its
// client; life is the client's, or 0 if it is known to be there.
func (h *handler) note(c *netpoll.Conn, life pairing.Life, what []safety.Signal) {
	if w := c.Worker(); w != h.worker {
		_ = w.Ask(func() { w.Handler().(*handler).note(c, life, what) }) // after its end nobody is there
		return
	}
	if r := richOf(c); !isOpen(c) || r != nil && life != 0 && r.life != life {
		return
	}
	h.noted(c, what...)
	if kindOf(c) == plain { // which does not say next
		h.classify(c, false)
	}
}

// weigh has the rules look at who was reported.
func (s *Server) weigh(r *safety.Report) {
	s.acted(s.scores.Report(r.Reported, r.Reporter, s.clock()))
}

// acted logs what the rules have done. Nobody is named.
func (s *Server) acted(all []safety.Acted) {
	for _, a := range all {
		s.ruled.note(ruleIndex(a.Rule), 1, milliseconds(s.now()))
	}
}

func ruleIndex(r *safety.Rule) int {
	for i := range safety.Rules {
		if r == &safety.Rules[i] {
			return i
		}
	}
	panic("server: a rule of nobody")
}

// newRuleLog is for what the rules do, or would do.
func newRuleLog(log *slog.Logger, observe bool) *sampledLog {
	what := "rule acted"
	if observe {
		what = "rule would have acted"
	}
	return &sampledLog{log: log, what: what, reasons: make([]sampled, len(safety.Rules)), name: func(i int) (slog.Level, string, slog.Attr) {
		r := &safety.Rules[i]
		return slog.LevelInfo, r.Name, slog.String("does", r.Does.String()+" for "+r.Lasts.String())
	}}
}

// Plain is who may be whose partner among clients that speak no records.
type Plain uint8

const (
	PlainAllow Plain = iota // anybody
	PlainApart              // they meet each other
	PlainOff                // nobody: they are refused
)

var plains = [...]string{PlainAllow: "allow", PlainApart: "apart", PlainOff: "off"}

// String is p as it is set.
func (p Plain) String() string { return plains[p] }

// MarshalText implements [encoding.TextMarshaler].
func (p Plain) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Plain) UnmarshalText(text []byte) error {
	for i, name := range plains {
		if name == string(text) {
			*p = Plain(i)
			return nil
		}
	}
	return errors.New("allow, apart or off")
}
