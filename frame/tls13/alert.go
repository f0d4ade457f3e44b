package tls13

import "strconv"

// Alert says why a connection ends (6). It has no text of the connection's.
type Alert uint8

// The alerts that this package sends, or makes a difference of.
const (
	CloseNotify       Alert = 0
	UnexpectedMessage Alert = 10
	BadRecordMAC      Alert = 20
	RecordOverflow    Alert = 22
	DecodeError       Alert = 50
	InternalError     Alert = 80
	UserCanceled      Alert = 90
)

var alertNames = map[Alert]string{
	CloseNotify:       "close_notify",
	UnexpectedMessage: "unexpected_message",
	BadRecordMAC:      "bad_record_mac",
	RecordOverflow:    "record_overflow",
	DecodeError:       "decode_error",
	InternalError:     "internal_error",
	UserCanceled:      "user_canceled",
}

// String is the alert's name in section 6, or its number.
func (a Alert) String() string {
	if name, ok := alertNames[a]; ok {
		return name
	}
	return "alert " + strconv.Itoa(int(a))
}

// level is the first byte of an alert, which nobody reads any more (6).
func (a Alert) level() byte {
	if a == CloseNotify || a == UserCanceled {
		return 1 // warning
	}
	return 2 // fatal
}

// Error is the end of a connection that is not a close_notify.
type Error struct {
	// Alert is the one that came from the peer, or the one that is to be sent.
	Alert Alert
	// Remote: it came from the peer, who does not read an answer.
	Remote bool
}

func (e *Error) Error() string {
	if e.Remote {
		return "tls: the peer sent " + e.Alert.String()
	}
	return "tls: " + e.Alert.String()
}

// One of each, so that a hostile record makes no garbage.
var (
	errUnexpected = &Error{Alert: UnexpectedMessage}
	errMAC        = &Error{Alert: BadRecordMAC}
	errOverflow   = &Error{Alert: RecordOverflow}
	errDecode     = &Error{Alert: DecodeError}
	errLimit      = &Error{Alert: InternalError}
)
