//go:build !long

package resume

import "time"

// How many pairs there are, how often their server is killed, and how often each
// person says something.
const (
	crowd, deaths = 100, 3
	killedPace    = 20 * time.Millisecond
)
