package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"roulette/cmd/roulette/internal/limit"
	"roulette/cmd/roulette/internal/proxy"
	"roulette/frame"
	"roulette/frame/handshake"
	"roulette/netpoll"
)

// Settings are the part of a Config that may change while the Server runs. Zero
// values mean the defaults, except where a field says that zero switches
// something off.
type Settings struct {
	MaxConnections           int           // default, and most, what the descriptor limit leaves
	MaxConnectionsPerAddress int           // 0: no limit
	HandshakesPerAddress     int           // a second; 0: no limit
	MaxMessageSize           int           // bytes; default 64 KiB
	MessageRate              int           // a second and connection; 0: no limit
	MessageBurst             int           // default three times the rate
	HandshakeTimeout         time.Duration // default 5 s
	PingInterval             time.Duration // default 25 s
	IdlePingInterval         time.Duration // of who is in no chat; if it is less than PingInterval, that
	PongTimeout              time.Duration // default 10 s
	HiddenTimeout            time.Duration // of a page in the background; default 5 min
	ResumeGrace              time.Duration // how long the seat of a lost connection is kept; default 45 s
	ResumeHiddenGrace        time.Duration // likewise, if its page was in the background; default 5 min
	MaxAway                  int           // seats kept at once; 0: no chat is resumed
	StallTimeout             time.Duration // default 15 s
	AllowedOrigins           []string      // default: the same host as the request's
	TrustedProxies           proxy.Trusted // are believed when they say who the client is
	ProxyProtocol            bool          // they must say so in a PROXY protocol header
	MemoryShare              int           // percent of the memory limit from which new chats are refused; 0: never
}

// withDefaults fills in what is not set; most is how many connections there can
// be.
func (s Settings) withDefaults(most int) Settings {
	if s.MaxConnections <= 0 || s.MaxConnections > most {
		s.MaxConnections = most
	}
	if s.MaxMessageSize <= 0 {
		s.MaxMessageSize = frame.DefaultLimit
	}
	if s.MessageBurst <= 0 {
		s.MessageBurst = 3 * s.MessageRate
	}
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{
		{&s.HandshakeTimeout, 5 * time.Second},
		{&s.PingInterval, 25 * time.Second},
		{&s.PongTimeout, 10 * time.Second},
		{&s.HiddenTimeout, 5 * time.Minute},
		{&s.ResumeGrace, 45 * time.Second},
		{&s.ResumeHiddenGrace, 5 * time.Minute},
		{&s.StallTimeout, 15 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.def
		}
	}
	s.AllowedOrigins = slices.Clone(s.AllowedOrigins)
	s.TrustedProxies = slices.Clone(s.TrustedProxies)
	return s
}

// rules are what a worker goes by: the Settings in force, and what is made of
// them once. Immutable.
type rules struct {
	Settings
	messages limit.Rate          // of one connection
	upgrader *handshake.Upgrader // for the endpoints
}

func (s *Server) newRules(settings Settings) (*rules, error) {
	if settings.ProxyProtocol && len(settings.TrustedProxies) == 0 {
		return nil, errors.New("server: the PROXY protocol needs trusted proxies")
	}
	settings = settings.withDefaults(s.most)
	r := &rules{
		Settings: settings,
		messages: limit.NewRate(settings.MessageRate, settings.MessageBurst),
	}
	var err error
	if r.upgrader, err = handshake.New(handshake.Config{
		Endpoints:      endpointsBelow(s.config.BasePath),
		AllowedOrigins: settings.AllowedOrigins,
	}); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return r, nil
}

// tick is the period of the coarse clock: a connection is looked at every
// fourth tick, so four times within the shortest deadline, and once a second at
// the least.
func (s Settings) tick() time.Duration {
	shortest := min(s.HandshakeTimeout, s.PingInterval, s.PongTimeout, s.StallTimeout, s.HiddenTimeout)
	return min(max(shortest/16, 5*time.Millisecond), 250*time.Millisecond)
}

// backlogLimit is how many bytes may wait for one client. Four sources can fill a
// backlog, each by at most one read buffer and the message that it completes: the
// partner, an earlier partner, replies to the client's own messages, and a read
// that was under way when a pair parted. A client still at the limit is stalled.
func (s Settings) backlogLimit() int { return 4 * (readBuffer + s.MaxMessageSize) }

// Settings are those in force, with the defaults filled in.
func (s *Server) Settings() Settings { return s.rules.Load().Settings.withDefaults(s.most) }

// Apply puts settings in force, for the clients that are connected as well, and
// returns when all workers go by them. Nobody is cut off for a limit that was
// higher when he came: who is one too many stays, and a rich client, which was
// told in its hello how long a message may be, may send such messages until it
// leaves. An error says which setting is wrong, and nothing has changed; or it
// is netpoll.ErrClosed.
func (s *Server) Apply(settings Settings) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	next, err := s.newRules(settings)
	if err != nil {
		return err
	}
	s.rules.Store(next)
	s.addresses.SetLimits(next.MaxConnectionsPerAddress, next.HandshakesPerAddress)
	// Larger messages may be under way, and come from who was told of them.
	s.backlogLimit = max(s.backlogLimit, next.backlogLimit())
	s.poller.SetLimits(netpoll.Limits{BacklogLimit: s.backlogLimit, StallTimeout: next.StallTimeout})
	if s.phaseNow() != phaseDraining { // which has a tick of its own
		if err := s.poller.SetTick(next.tick()); err != nil {
			return err
		}
	}
	return s.poller.OnWorkers(context.Background(), func(w *netpoll.Worker) {
		w.Handler().(*handler).obey(next)
	})
}

// obey goes by next from here on, for the connections that are there as well.
func (h *handler) obey(next *rules) {
	last := h.rules
	h.rules = next
	h.decoder.Limit = next.MaxMessageSize
	newTerms := next.PingInterval != last.PingInterval || next.HiddenTimeout != last.HiddenTimeout
	if next.MaxMessageSize == last.MaxMessageSize && !newTerms {
		return
	}
	h.worker.Each(func(c *netpoll.Conn) {
		if newTerms && isRich(c) {
			h.renewTerms(c)
		}
		if has(c, pinged) && next.PingInterval != last.PingInterval {
			// When the ping went out is known by the last interval only: there
			// is another, with all its time.
			clearFlag(c, pinged)
		}
		h.resize(c, last.MaxMessageSize)
	})
}

// resize puts the rules' limit of a message in force for c, unless c's client was
// promised more.
func (h *handler) resize(c *netpoll.Conn, promised int) {
	p, holds := c.Held().(*partial)
	switch most := h.rules.MaxMessageSize; {
	case holds && p.Limit <= most:
		p.Limit, p.promised = most, false
		if p.Empty() {
			c.Hold(nil)
			h.releasePartial(p)
		}
	case !isRich(c) || promised <= most: // nothing was promised, or no more than that
	case !holds:
		p = h.newPartial()
		p.Limit = promised
		c.Hold(p)
		fallthrough
	default:
		p.promised = true
	}
}
