package frame

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// maxCloseReason is what a control frame's payload leaves after the code.
const maxCloseReason = ws.MaxControlFramePayloadSize - 2

// AppendClose appends a server's close frame (section 5.5.1). A reason that is
// too long is cut before the rune that does not fit. A code that must not stand
// on the wire, such as ws.StatusNoStatusRcvd from [ParseClose], makes a close
// frame without a payload.
func AppendClose(dst []byte, code ws.StatusCode, reason string) []byte {
	if !validCloseCode(code) {
		return AppendHeader(dst, ws.OpClose, 0)
	}
	if len(reason) > maxCloseReason {
		n := maxCloseReason
		for n > 0 && !utf8.RuneStart(reason[n]) {
			n--
		}
		reason = reason[:n]
	}
	dst = AppendHeader(dst, ws.OpClose, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}

// ParseClose reads the payload of a close frame. An empty one has the code
// ws.StatusNoStatusRcvd (1005). reason is a part of payload. offence is nil,
// [ErrClosePayload], [ErrCloseCode] or [ErrCloseReason], and code and reason are
// then as far as they could be read.
func ParseClose(payload []byte) (code ws.StatusCode, reason []byte, offence *Error) {
	switch len(payload) {
	case 0:
		return ws.StatusNoStatusRcvd, nil, nil
	case 1:
		return 0, nil, ErrClosePayload
	}
	code, reason = ws.StatusCode(binary.BigEndian.Uint16(payload)), payload[2:]
	switch {
	case !validCloseCode(code):
		return code, reason, ErrCloseCode
	case !utf8.Valid(reason):
		return code, reason, ErrCloseReason
	}
	return code, reason, nil
}

// validCloseCode reports whether code may stand in a close frame: those that
// section 7.4.1 and the IANA registry define for the wire (1012 to 1014 came
// after the RFC), and the ranges for applications. ws.CheckCloseFrameData knows
// neither 1012 to 1014 nor the end of the last range.
func validCloseCode(code ws.StatusCode) bool {
	switch {
	case code < 1000:
		return false
	case code <= 1003:
		return true
	case code < 1007:
		return false
	case code <= 1014:
		return true
	}
	return 3000 <= code && code <= 4999
}
