//go:build !long

package resume

import "time"

// How many pairs there are, how often their server is killed, and how often each
// person says something.
const (
	crowd, deaths = 100, 3
	killedPace    = 20 * time.Millisecond
)

// How many pairs there are when their server is drained, and in what time.
const (
	drained   = 50
	drainTime = "1s"
)
