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

// The code for a connection that broke without one, and the server's own for a seat
// that was taken elsewhere and for too many messages.
const (
	codeLost        = websocket.StatusAbnormalClosure
	codeElsewhere   = websocket.StatusCode(4409)
	codeRateLimited = websocket.StatusCode(4429)
)

// mayReconnect reports whether a connection that ended with this code may be
// tried again. What passes with time may: the server going (1001), the network,
// trouble on the server, and 44xx by the server's own rule, but for a seat that was
// taken elsewhere (4409). All else would only happen again.
func mayReconnect(code websocket.StatusCode) bool {
	switch {
	case code == codeElsewhere:
		return false
	case code == websocket.StatusGoingAway, code == websocket.StatusNoStatusRcvd, code == codeLost:
		return true
	case code >= websocket.StatusInternalError && code <= websocket.StatusTLSHandshake: // 1011 to 1015
		return true
	}
	return code >= 4400 && code <= 4499
}

// retryBounds is how long to wait at least and at most after the given code and
// number of attempts that have failed in a row. (The page follows the same rules: see
// rules.json in frame/record.)
func retryBounds(code websocket.StatusCode, attempts int) (least, most time.Duration) {
	least, most = 100*time.Millisecond, longestDelay
	if attempts < 5 {
		most = min(most, firstDelay<<attempts)
	}
	switch code {
	case codeRateLimited:
		least, most = 10*time.Second, time.Minute
	case websocket.StatusGoingAway:
		most = max(most, drainDelay)
	}
	return least, most
}

// quick is how many attempts to return to a chat are made before the wait grows.
const quick = 8

// returnBounds are retryBounds for a client whose chat goes on when it is back: the first
// attempt is made at once, unless the server has sent all of its clients away together,
// and some more within a second each: a stranger waits.
func returnBounds(code websocket.StatusCode, attempts int) (least, most time.Duration) {
	if attempts == 0 && code != websocket.StatusGoingAway {
		return 0, 0
	}
	return retryBounds(codeLost, max(0, attempts-quick))
}

// returnDelay is a wait within returnBounds.
func returnDelay(code websocket.StatusCode, attempts int) time.Duration {
	least, most := returnBounds(code, attempts)
	return least + rand.N(most-least+1)
}

// endsChat reports whether a connection that ended with this code has ended its chat,
// too.
func endsChat(code websocket.StatusCode) bool {
	return !mayReconnect(code) || code == codeRateLimited
}

// retryDelay is a wait within retryBounds. It is spread evenly, so that clients who
// lost one server together do not come back together.
func retryDelay(code websocket.StatusCode, attempts int) time.Duration {
	least, most := retryBounds(code, attempts)
	return least + rand.N(most-least)
}
