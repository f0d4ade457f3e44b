package frame

import (
	"strconv"

	"github.com/gobwas/ws"
)

// Error is an offence against RFC 6455 and the close code that answers it.
// Every one is a variable of this package, so that an offence allocates nothing
// and can be told by comparison.
type Error struct {
	Code   ws.StatusCode // 1002, 1007 or 1009
	Reason string        // fits into a close frame
}

func (e *Error) Error() string {
	return "frame: " + e.Reason + " (" + strconv.Itoa(int(e.Code)) + ")"
}

// What a client may not do, in the order in which the bytes of a frame show it.
var (
	ErrReservedBits      = &Error{ws.StatusProtocolError, "reserved bits set"}
	ErrOpcode            = &Error{ws.StatusProtocolError, "unknown opcode"}
	ErrControlFragmented = &Error{ws.StatusProtocolError, "fragmented control frame"}
	ErrContinuation      = &Error{ws.StatusProtocolError, "continuation of nothing"}
	ErrInterrupted       = &Error{ws.StatusProtocolError, "data frame inside a fragmented message"}
	ErrNotMasked         = &Error{ws.StatusProtocolError, "frame is not masked"}
	ErrControlTooLong    = &Error{ws.StatusProtocolError, "control frame is too long"}
	ErrLength            = &Error{ws.StatusProtocolError, "malformed length"}
	ErrTooBig            = &Error{ws.StatusMessageTooBig, "message is too big"}
	ErrUTF8              = &Error{ws.StatusInvalidFramePayloadData, "text is not UTF-8"}
	ErrClosePayload      = &Error{ws.StatusProtocolError, "malformed close frame"}
	ErrCloseCode         = &Error{ws.StatusProtocolError, "invalid close code"}
	ErrCloseReason       = &Error{ws.StatusInvalidFramePayloadData, "close reason is not UTF-8"}
)
