package host

import "runtime/debug"

// A server whose byte path allocates nothing collects no garbage, and so would
// keep for minutes what the arrival or the departure of a crowd has left: the
// requests, tables that were too small, the connections themselves.
const (
	crowd     = 500 // connections that are worth it,
	crowdPart = 8   // if they are more than one in so many
	calmTicks = 4   // how long their number has to stand still

	// The last of a crowd are no crowd, and after a slow arrival what they have left
	// behind would stay: less is worth it after a longer calm.
	lastPart  = 64
	longTicks = 120
)

// Crowd returns memory to the operating system when many connections have come
// or gone, once for each such time. The zero value is ready. Owned by the
// goroutine that calls Look.
type Crowd struct {
	gaveBackAt int // connections when memory was last given back
	last       int // connections at the last look
	calm       int // looks since their number moved
}

// Look is told at each tick how many connections there are. It reports whether
// it gives memory back now, on a goroutine of its own.
func (c *Crowd) Look(now int) bool {
	before := c.gaveBackAt
	moved, still := abs(now-before), abs(now-c.last) <= now/100
	c.last = now
	if !still || moved < crowd || moved <= before/lastPart {
		c.calm = 0
		return false
	}
	enough := calmTicks
	if moved <= before/crowdPart {
		enough = longTicks
	}
	if c.calm++; c.calm < enough {
		return false
	}
	c.calm, c.gaveBackAt = 0, now
	go debug.FreeOSMemory()
	return true
}

func abs(n int) int { return max(n, -n) }
