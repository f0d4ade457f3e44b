package server

import (
	"time"

	"roulette/cmd/roulette/internal/safety"
	"roulette/pairing"
)

// inShadow are the wishes of whoever is in the shadow: a table at which they meet each
// other, and that nobody else can name, as no record may have such a character.
var inShadow = &pairing.Wishes{Table: "\x00shadow"}

// wishesOf are the wishes with which the person in a seat looks for a partner: their
// own, unless they are in the shadow. A table of their own is one that both have chosen.
func (s *Server) wishesOf(own seat, w *pairing.Wishes) *pairing.Wishes {
	if s.known == nil || s.bans.PeopleShadowed()+s.scores.Acted() == 0 || w != nil && w.Table != "" {
		return w
	}
	who, _ := s.pairs.Who(own)
	_, decided := s.bans.Shadowed(safety.Person(who), s.clock())
	if decided || s.scores.InShadow(safety.Person(who), s.clock()) {
		return inShadow
	}
	return w
}

// weigh has the rule look at who was reported. Nobody is named in the log.
func (s *Server) weigh(r *safety.Report) {
	observe := s.config.Safety == safety.Observe
	if until := s.scores.Reported(r.Reported, r.Reporter, observe, s.clock()); !until.IsZero() {
		s.log.Info("somebody is in the shadow", "rule", safety.ReportedOften.Name, "until", until.UTC().Format(time.RFC3339), "only_observed", observe)
	}
}

// sweepInbox is how often it is looked whether reports are to go.
const sweepInbox = 10 * time.Minute

// keepInbox removes reports that are thirty days old, until the server is closed.
func (s *Server) keepInbox(ended <-chan struct{}) {
	timer := time.NewTicker(sweepInbox)
	defer timer.Stop()
	for {
		inbox := s.config.Inbox
		if n, err := inbox.Sweep(s.clock(), time.Since(s.started)); err != nil {
			s.log.Error("reports that are to go could not be removed", "error", err)
		} else if n > 0 {
			s.log.Info("reports removed after thirty days", "reports", n)
		}
		s.bans.ForgetReports(inbox.Has)
		select {
		case <-timer.C:
		case <-ended:
			return
		}
	}
}

// undecided is how many reports nobody has decided about, and when the oldest of them was
// made; zero if there is none.
func (s *Server) undecided() (n int, oldest time.Time) {
	if s.config.Inbox == nil {
		return 0, oldest
	}
	for _, filed := range s.config.Inbox.All() {
		if s.bans.Decided(filed.ID) == "" {
			if n++; n == 1 {
				oldest = filed.At
			}
		}
	}
	return n, oldest
}
