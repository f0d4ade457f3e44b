package tlsfront

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Result is what became of a handshake.
type Result uint8

const (
	OK        Result = iota // with a full handshake
	Resumed                 // with a session ticket
	Challenge               // it was an ACME server's, and its certificate was all it wanted
	PlainHTTP               // the client speaks HTTP in the clear
	NotTLS                  // it speaks something else
	Version                 // it does not speak TLS 1.3
	TooLarge                // its ClientHello is too large
	EarlyData               // it sent 0-RTT data, which nobody had offered to take
	Protocol                // it does not speak HTTP/1.1 (ALPN)
	Name                    // there is no certificate for what it asked for
	Refused                 // it sent an alert: mostly it does not trust the certificate
	Gone                    // it left
	Timeout                 // it was too slow
	Busy                    // there were too many handshakes
	Failed                  // anything else that RFC 8446 forbids
	resultCount
)

var results = [resultCount]struct {
	label string
	alert byte // that this package sends itself; 0: none
}{
	OK:        {"ok", 0},
	Resumed:   {"resumed", 0},
	Challenge: {"challenge", 0},
	PlainHTTP: {"plain_http", 0}, // the caller answers in HTTP
	NotTLS:    {"not_tls", alertUnexpectedMessage},
	Version:   {"version", 0},
	TooLarge:  {"too_large", alertIllegalParameter},
	EarlyData: {"early_data", 0},
	Protocol:  {"protocol", 0},
	Name:      {"name", 0},
	Refused:   {"refused", 0},
	Gone:      {"gone", 0},
	Timeout:   {"timeout", 0},
	Busy:      {"busy", alertInternalError},
	Failed:    {"failed", 0},
}

// String is the result's label in metrics.
func (r Result) String() string { return results[r].label }

// Good tells whether there is a connection now.
func (r Result) Good() bool { return r == OK || r == Resumed }

// AppendAnswer appends what the client is told, in the clear, when a handshake does
// not begin; nothing if there is nothing to tell.
func (r Result) AppendAnswer(dst []byte) []byte {
	if code := results[r].alert; code != 0 {
		return appendAlert(dst, code)
	}
	return dst
}

// resultOf finds out why crypto/tls gave up: from the alert that it sent, for its
// errors are texts.
func (c *conn) resultOf(err error) Result {
	var op *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Timeout
	case errors.As(err, &op) && op.Op == "remote error":
		return Refused
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Gone
	}
	last := c.written
	if len(last) != recordHeader+2 || last[0] != recordAlert { // it was sealed: the client was wrong later
		return Failed
	}
	switch code := last[recordHeader+1]; {
	case code == alertProtocolVersion:
		return Version
	case code == alertNoProtocol:
		return Protocol
	case code == alertUnrecognizedName, c.nameless:
		return Name
	case code == alertUnsupportedExtension && c.early:
		return EarlyData
	}
	return Failed
}
