package server

import "runtime/debug"

// A server whose byte path allocates nothing collects no garbage, and so would
// keep for minutes what the arrival or the departure of a crowd has left: the
// requests, tables that were too small, the connections themselves.
const (
	crowd     = 500 // connections that are worth it,
	crowdPart = 8   // if they are more than one in so many
	calmTicks = 4   // how long their number has to stand still
)

// giveBack returns memory to the operating system when a crowd has come or gone,
// once for each, on a goroutine of its own. Called by one worker at each tick.
func (s *Server) giveBack() {
	now := s.poller.Count()
	before := s.settled
	moved, still := abs(now-before), abs(now-s.lastCount) <= now/100
	s.lastCount = now
	if !still || moved < crowd || moved <= before/crowdPart {
		s.calm = 0
		return
	}
	if s.calm++; s.calm == calmTicks {
		s.calm, s.settled = 0, now
		go debug.FreeOSMemory()
	}
}

func abs(n int) int { return max(n, -n) }
