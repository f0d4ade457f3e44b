package terminal

import (
	"math/rand/v2"
	"time"

	"github.com/coder/websocket"
)

const (
	firstDelay   = time.Second
	longestDelay = 30 * time.Second
	drainDelay   = 5 * time.Second  // a draining server's clients come back spread over this
	steady       = 10 * time.Second // a connection that lasted this long was a good one
)

// The code for a connection that broke without one, and ours for too many messages.
const (
	codeLost        = websocket.StatusAbnormalClosure
	codeRateLimited = websocket.StatusCode(4429)
)

// mayReconnect reports whether a connection that ended with this code may be
// tried again. What passes with time may: the server going (1001), the network,
// trouble on the server, and 44xx by the server's own rule. All else would only
// happen again.
func mayReconnect(code websocket.StatusCode) bool {
	switch {
	case code == websocket.StatusGoingAway, code == websocket.StatusNoStatusRcvd, code == codeLost:
		return true
	case code >= websocket.StatusInternalError && code <= websocket.StatusTLSHandshake: // 1011 to 1015
		return true
	}
	return code >= 4400 && code <= 4499
}

// retryDelay is how long to wait after the given code and number of attempts that
// have failed in a row. It is spread evenly, so that clients who lost one server
// together do not come back together.
func retryDelay(code websocket.StatusCode, attempts int) time.Duration {
	least, most := 100*time.Millisecond, longestDelay
	if attempts < 5 {
		most = min(most, firstDelay<<attempts)
	}
	switch code {
	case codeRateLimited:
		least, most = 10*time.Second, time.Minute
	case websocket.StatusGoingAway:
		most = max(most, drainDelay)
	}
	return least + rand.N(most-least)
}
