package server

import "runtime/debug"

// A server whose byte path allocates nothing collects no garbage, and so would
// keep the memory of a crowd for minutes after it has left.
const (
	crowd       = 1000 // connections that are worth it
	crowdLeaves = 4    // it has left when no more than one in so many is there
)

// giveBack returns memory to the operating system when a crowd has left: once
// for each crowd, on a goroutine of its own. Called by one worker at each tick.
func (s *Server) giveBack() {
	now := s.poller.Count()
	s.most = max(s.most, now)
	if s.most >= crowd && now <= s.most/crowdLeaves {
		s.most = now
		go debug.FreeOSMemory()
	}
}
