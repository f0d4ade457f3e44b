package server

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"roulette/cmd/roulette/internal/safety"
	"roulette/frame/handshake"
	"roulette/netpoll"
	"roulette/web"
)

// Whom operators have banned is kept out in three places: a gate before the upgrade,
// which is shut once a connection is counted for its network; the pages; and what
// ends those who are here already. A network is counted before it is looked for among
// the bans, and a ban is there before those who are counted are looked through: so
// whoever comes meanwhile is seen by one or the other.

// isBanned is shut for who is counted for a network that is banned, and for a person who
// is.
func (l *lobby) isBanned(c *netpoll.Conn, v *visitor) bool {
	l.bannedUntil = time.Time{}
	s := l.server
	if s.known != nil && s.bans.PeopleBanned() > 0 {
		who, _ := l.visitorOf(c, &v.request)
		l.bannedUntil, _ = s.bans.FindPerson(who, s.clock())
	}
	return !l.bannedUntil.IsZero() || s.isBannedAt(s.addressOf(c))
}

func (s *Server) isBannedAt(client netip.Addr) bool {
	_, is := s.bans.Find(client, s.clock())
	return is
}

// addressOf is an address of the network that c is counted for; the zero Addr if it
// is not known, or nobody is banned.
func (s *Server) addressOf(c *netpoll.Conn) netip.Addr {
	if s.bans.InForce() == 0 || !has(c, attributed) {
		return netip.Addr{}
	}
	network, _ := s.addresses.Network(c.Key).Prefix()
	return network.Addr()
}

// refuseBanned answers c's request, which the gate has refused.
func (l *lobby) refuseBanned(c *netpoll.Conn, head []byte) {
	s := l.server
	lasts := s.banLasts(s.addressOf(c))
	if !l.bannedUntil.IsZero() {
		lasts = max(lasts, seconds(l.bannedUntil.Sub(s.clock())))
	}
	l.dismiss(c, banned.appendTo(l.reply[:0], head, lasts, s.config.Appeal))
}

// banLasts is for how many seconds a client is banned still, at least one.
func (s *Server) banLasts(client netip.Addr) int {
	now := s.clock()
	ban, _ := s.bans.Find(client, now)
	return seconds(ban.Until.Sub(now))
}

// seconds is a time in whole seconds, at least one.
func seconds(d time.Duration) int { return int(max(d+time.Second-1, time.Second) / time.Second) }

// unbanned is next for those who are not banned, and for balancers.
func (hs *httpServer) unbanned(next http.Handler) http.Handler {
	s := hs.server
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.bans.InForce() == 0 || r.URL.Path == s.config.BasePath+healthPath {
			next.ServeHTTP(w, r)
			return
		}
		client := s.clientOfRequest(r)
		if !s.isBannedAt(client) {
			next.ServeHTTP(w, r)
			return
		}
		turnAway(w, r, banned, s.banLasts(client), s.config.Appeal)
	})
}

// turnAway answers a request to net/http with a refusal, and ends its connection.
func turnAway(w http.ResponseWriter, r *http.Request, why refusal, retryAfter int, to web.Appeal) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, refusals[why].text, refusals[why].status)
		return
	}
	defer conn.Close()
	_, _ = conn.Write(why.appendTo(nil, handshake.HeadFromRequest(nil, r), retryAfter, to)) // the client is gone if this fails
}

// clientOfRequest is who has made a request to net/http: whom the connection comes
// from, or whom it comes for if that is a trusted proxy.
func (s *Server) clientOfRequest(r *http.Request) netip.Addr {
	c, ok := r.Context().Value(connKey{}).(*httpConn)
	if !ok {
		return netip.Addr{}
	}
	trusted := s.rules.Load().TrustedProxies
	if c.client.IsValid() && !trusted.Contains(c.client) {
		return c.client
	}
	var forwarded []byte
	for i, line := range r.Header.Values("X-Forwarded-For") {
		if i > 0 {
			forwarded = append(forwarded, ',')
		}
		forwarded = append(forwarded, line...)
	}
	return trusted.Client(bytes.TrimSpace(forwarded))
}

// Ban bans networks for a while, and ends the chats of those who are there; see
// [safety.Bans.Ban].
func (s *Server) Ban(networks []netip.Prefix, lasts time.Duration, reason, by string) error {
	now := s.clock()
	if err := s.bans.Ban(networks, now.Add(lasts), reason, by, now); err != nil {
		return err
	}
	return s.expelBanned()
}

// Unban ends the bans of networks, and returns how many there were.
func (s *Server) Unban(networks []netip.Prefix, by string) (n int, err error) {
	return s.bans.Lift(networks, by, s.clock())
}

// Bans are those in force, and whether they outlive the process.
func (s *Server) Bans() (all []safety.Ban, lasting bool) {
	return s.bans.All(s.clock()), s.bans.Lasting()
}

// Decide puts a verdict in force, and ends the chats of who is banned by it; see
// [safety.Bans.Decide].
func (s *Server) Decide(v safety.Verdict) error {
	if err := s.bans.Decide(v, s.clock()); err != nil || s.known == nil {
		return err
	}
	if v.Do == "false" {
		for _, by := range v.People {
			s.scores.WasFalse(by)
		}
	}
	return s.expelPeople()
}

// expelPeople ends the chats of people who are banned.
func (s *Server) expelPeople() error {
	if s.bans.PeopleBanned() == 0 {
		return nil
	}
	now := s.clock()
	return s.poller.OnWorkers(context.Background(), func(w *netpoll.Worker) {
		h := w.Handler().(*handler)
		w.Each(func(c *netpoll.Conn) {
			if !isOpen(c) {
				return
			}
			who, _ := s.pairs.Who(seatOf(c))
			if until, is := s.bans.FindPerson(safety.Person(who), now); is {
				h.expelUntil(c, until)
			}
		})
	})
}

// expelUntil ends a chat of who is banned.
func (h *handler) expelUntil(c *netpoll.Conn, until time.Time) {
	g := bannedNow.goodbye()
	g.text = fmt.Sprintf("%s until %s", g.text, until.UTC().Format(time.RFC3339))
	h.finish(c, g)
}

// People are those about whom something is decided and goes on.
func (s *Server) People() []safety.PersonBan { return s.bans.People(s.clock()) }

// Decided is what was decided about a report; empty: nothing.
func (s *Server) Decided(report string) string { return s.bans.Decided(report) }

// expelBanned ends the chats of those who are banned.
func (s *Server) expelBanned() error {
	now := s.clock()
	until := make(map[uint32]time.Time) // by the key of the network
	s.addresses.Each(func(key uint32, network netip.Prefix) {
		if ban, is := s.bans.Find(network.Addr(), now); is {
			until[key] = ban.Until
		}
	})
	if len(until) == 0 {
		return nil
	}
	return s.poller.OnWorkers(context.Background(), func(w *netpoll.Worker) {
		h := w.Handler().(*handler)
		w.Each(func(c *netpoll.Conn) {
			if ends, is := until[c.Key]; is && isOpen(c) && has(c, attributed) {
				h.expelUntil(c, ends)
			}
		})
		if w.Index() == 0 {
			for _, a := range s.breaks.counted(until) {
				h.expel(a)
			}
		}
	})
}

// counted are the people who are away and counted for one of the keys.
func (r *breaks) counted(keys map[uint32]time.Time) (found []*absence) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := range r.pairs.all {
		for side := range k.places {
			if a := r.awayOf(k, side); a != nil && a.attributed {
				if _, is := keys[a.key]; is {
					found = append(found, a)
				}
			}
		}
	}
	return found
}
