package server

import "time"

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
	for _, filed := range s.config.Inbox.Each() {
		if s.bans.Decided(filed.ID) == "" {
			if n++; n == 1 || filed.At.Before(oldest) {
				oldest = filed.At
			}
		}
	}
	return n, oldest
}
