package handshake

import (
	"net/http"
	"strconv"
)

// Result is how a handshake ended.
type Result uint8

const (
	OK               Result = iota // 101, the connection speaks WebSocket
	NotChat                        // a proper request, but not for a chat path
	BadRequest                     // 400
	BadOrigin                      // 403
	NotFound                       // 404
	MethodNotAllowed               // 405
	Timeout                        // 408
	UpgradeRequired                // 426
	TooLarge                       // 431
	BadVersion                     // 505, not HTTP/1.x
)

var statuses = [...]int{
	OK:               http.StatusSwitchingProtocols,
	BadRequest:       http.StatusBadRequest,
	BadOrigin:        http.StatusForbidden,
	NotFound:         http.StatusNotFound,
	MethodNotAllowed: http.StatusMethodNotAllowed,
	Timeout:          http.StatusRequestTimeout,
	UpgradeRequired:  http.StatusUpgradeRequired,
	TooLarge:         http.StatusRequestHeaderFieldsTooLarge,
	BadVersion:       http.StatusHTTPVersionNotSupported,
}

// Status is the status code of the response, 0 for NotChat.
func (r Result) Status() int { return statuses[r] }

func (r Result) String() string {
	if r == NotChat {
		return "not a chat"
	}
	return strconv.Itoa(r.Status()) + " " + http.StatusText(r.Status())
}

// AppendRefusal appends a whole HTTP response that refuses a request and ends
// the connection: 408, 429, 431, 503 and others. reason is the body, a short
// text that must not quote the client. retryAfter is in seconds, 0 for none.
//
// What a status demands is added: Allow for 405, and for 426 what to upgrade to.
func AppendRefusal(dst []byte, status int, reason string, retryAfter int) []byte {
	return appendRefusal(dst, status, reason, retryAfter, true)
}

// appendRefusal is AppendRefusal that can leave the body out.
func appendRefusal(dst []byte, status int, reason string, retryAfter int, body bool) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, http.StatusText(status)...)
	dst = append(dst, "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(reason)+1), 10)
	switch status {
	case http.StatusMethodNotAllowed:
		dst = append(dst, "\r\nConnection: close\r\nAllow: GET"...)
	case http.StatusUpgradeRequired:
		// RFC 9110, section 7.8: who sends Upgrade names it in Connection.
		dst = append(dst, "\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"...)
	default:
		dst = append(dst, "\r\nConnection: close"...)
	}
	if retryAfter > 0 {
		dst = append(dst, "\r\nRetry-After: "...)
		dst = strconv.AppendInt(dst, int64(retryAfter), 10)
	}
	dst = append(dst, "\r\n\r\n"...)
	if body {
		dst = append(dst, reason...)
		dst = append(dst, '\n')
	}
	return dst
}
