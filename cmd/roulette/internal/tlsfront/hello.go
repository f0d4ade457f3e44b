package tlsfront

import "encoding/binary"

// MostHello bounds a ClientHello, in bytes. The largest that browsers send, with the
// key shares of post-quantum cryptography, have some two thousand.
const MostHello = 16 << 10

// Hello looks at the first bytes of a connection. size is that of the record with
// the ClientHello, or with its beginning; 0 while it is not whole and nothing is
// wrong. result is OK then too, or else what has been found wrong.
func Hello(b []byte) (size int, result Result) {
	if len(b) == 0 {
		return 0, OK
	}
	switch {
	case b[0] >= 'A' && b[0] <= 'Z': // no TLS record begins so, and every HTTP method does
		return 0, PlainHTTP
	case b[0] != recordHandshake:
		return 0, NotTLS
	case len(b) > 1 && b[1] != 3:
		return 0, NotTLS
	case len(b) < recordHeader:
		return 0, OK
	}
	n := int(binary.BigEndian.Uint16(b[3:]))
	if n == 0 || n > MostHello { // which is also RFC 8446's limit (5.1)
		return 0, TooLarge
	}
	if len(b) > recordHeader && b[recordHeader] != messageClientHello {
		return 0, NotTLS
	}
	if head := recordHeader + 4; n >= 4 && len(b) >= head {
		if size := int(b[head-3])<<16 | int(b[head-2])<<8 | int(b[head-1]); size > MostHello {
			return 0, TooLarge
		}
	}
	if len(b) < recordHeader+n {
		return 0, OK
	}
	return recordHeader + n, OK
}

// What of the handshake this package looks at itself (RFC 8446, 4, 4.2, 5.1, 6).
const (
	recordHeader    = 5
	recordAlert     = 21
	recordHandshake = 22

	messageClientHello = 1
	extensionEarlyData = 42

	alertUnexpectedMessage    = 10
	alertIllegalParameter     = 47
	alertProtocolVersion      = 70
	alertInternalError        = 80
	alertUnsupportedExtension = 110
	alertUnrecognizedName     = 112
	alertNoProtocol           = 120
)

// appendAlert appends a fatal alert in the clear, which is what it is before there
// are keys.
func appendAlert(dst []byte, code byte) []byte {
	return append(dst, recordAlert, 3, 3, 0, 2, 2, code)
}
