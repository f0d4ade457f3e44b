//go:build long

package resume

import "time"

// How many pairs there are, how often their server is killed, and how often each
// person says something.
const (
	crowd, deaths = 1000, 50
	killedPace    = time.Second
)

// How many pairs there are when their server is drained, and in what time.
const (
	drained   = 5000
	drainTime = "10s"
)
