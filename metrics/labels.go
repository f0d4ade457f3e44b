package metrics

import (
	"errors"
	"syscall"
)

// Each label has one enumeration and, beside it, the closed list of its values.
// The enumeration is the index into the arrays of Counters.

// ConnectionState is where a connection is in its life.
type ConnectionState uint8

const (
	ConnectionHandshaking ConnectionState = iota // accepted, not yet upgraded
	ConnectionIdle                               // upgraded, neither waiting nor paired
	ConnectionWaiting                            // in the pool
	ConnectionPaired                             // has a partner
	ConnectionClosing                            // close frame sent, waiting for the end
	connectionStates
)

var connectionStateLabels = [connectionStates]string{"handshaking", "idle", "waiting", "paired", "closing"}

func (s ConnectionState) String() string { return connectionStateLabels[s] }

// RejectReason is why an accepted socket was refused a chat.
type RejectReason uint8

const (
	RejectMaxConnections  RejectReason = iota // the server's own limit
	RejectPerAddress                          // too many from one address
	RejectHandshakeRate                       // too fast from one address
	RejectOrigin                              // a foreign Origin header
	RejectDraining                            // the server is going down
	RejectDescriptorLimit                     // EMFILE or ENFILE: refused with the spare descriptor
	RejectMemory                              // memory is short: load is shed
	RejectProxyHeader                         // no PROXY protocol header, or none from a trusted proxy
	RejectPages                               // of a request for a page: all places are taken
	RejectBanned                              // an operator has banned its network
	RejectPlain                               // it speaks no records, and must
	rejectReasons
)

var rejectReasonLabels = [rejectReasons]string{
	"max_connections", "per_address", "handshake_rate", "origin", "draining", "fd_limit", "memory", "proxy_header", "pages", "banned", "plain",
}

func (r RejectReason) String() string { return rejectReasonLabels[r] }

// CloseCode is a WebSocket close code (RFC 6455, section 7.4) that has a label
// of its own, or CloseOther.
type CloseCode uint8

const (
	CloseNormal         CloseCode = iota // 1000
	CloseGoingAway                       // 1001: page left, or the server drains
	CloseProtocolError                   // 1002
	CloseNoStatus                        // 1005: a close frame without a code
	CloseAbnormal                        // 1006: TCP ended without a close frame
	CloseInvalidPayload                  // 1007
	CloseTooBig                          // 1009
	CloseTimeout                         // 4408: no pong, or a stalled receiver
	CloseTakenOver                       // 4409: another connection of the client has its place
	CloseRateLimited                     // 4429
	CloseOverloaded                      // 4453
	CloseBanned                          // 4503: an operator has banned its network
	CloseOther                           // any other code
	closeCodes
)

var closeCodeLabels = [closeCodes]string{
	"1000", "1001", "1002", "1005", "1006", "1007", "1009", "4408", "4409", "4429", "4453", "4503", "other",
}

func (c CloseCode) String() string { return closeCodeLabels[c] }

// CloseCodeOf returns the label for a close code as it stands on the wire. Use
// 1006 for a connection that TCP lost and 1005 for an empty close frame.
func CloseCodeOf(code uint16) CloseCode {
	switch code {
	case 1000:
		return CloseNormal
	case 1001:
		return CloseGoingAway
	case 1002:
		return CloseProtocolError
	case 1005:
		return CloseNoStatus
	case 1006:
		return CloseAbnormal
	case 1007:
		return CloseInvalidPayload
	case 1009:
		return CloseTooBig
	case 4408:
		return CloseTimeout
	case 4409:
		return CloseTakenOver
	case 4429:
		return CloseRateLimited
	case 4453:
		return CloseOverloaded
	case 4503:
		return CloseBanned
	}
	return CloseOther
}

// Initiator is who ended a connection.
type Initiator uint8

const (
	ByClient Initiator = iota
	ByServer
	initiators
)

var initiatorLabels = [initiators]string{"client", "server"}

func (i Initiator) String() string { return initiatorLabels[i] }

// AcceptError is a class of errno that accept4(2) returns.
type AcceptError uint8

const (
	AcceptEMFILE       AcceptError = iota // descriptor limit of the process
	AcceptENFILE                          // descriptor limit of the system
	AcceptECONNABORTED                    // the peer gave up before we took it
	AcceptENOBUFS                         // no socket memory
	AcceptENOMEM                          // no memory
	AcceptEPERM                           // a firewall rule forbids it
	AcceptNetwork                         // an error pending on the new socket, see accept(2)
	AcceptOther
	acceptErrors
)

var acceptErrorLabels = [acceptErrors]string{
	"EMFILE", "ENFILE", "ECONNABORTED", "ENOBUFS", "ENOMEM", "EPERM", "network", "other",
}

func (e AcceptError) String() string { return acceptErrorLabels[e] }

// AcceptErrorOf returns the class of an error of accept4(2), wrapped or not.
// EAGAIN and EINTR are no errors of accepting: do not count them.
func AcceptErrorOf(err error) AcceptError {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return AcceptOther
	}
	switch errno {
	case syscall.EMFILE:
		return AcceptEMFILE
	case syscall.ENFILE:
		return AcceptENFILE
	case syscall.ECONNABORTED:
		return AcceptECONNABORTED
	case syscall.ENOBUFS:
		return AcceptENOBUFS
	case syscall.ENOMEM:
		return AcceptENOMEM
	case syscall.EPERM:
		return AcceptEPERM
	case syscall.ENETDOWN, syscall.EPROTO, syscall.ENOPROTOOPT, syscall.EHOSTDOWN,
		syscall.EHOSTUNREACH, syscall.EOPNOTSUPP, syscall.ENETUNREACH, syscall.ETIMEDOUT:
		return AcceptNetwork
	}
	return AcceptOther
}

// HandshakeResult is how an opening handshake ended.
type HandshakeResult uint8

const (
	HandshakeOK         HandshakeResult = iota // 101
	HandshakeBadRequest                        // 400, 405, 426
	HandshakeTimeout                           // not whole within the deadline
	HandshakeTooLarge                          // 431
	HandshakeOrigin                            // 403
	HandshakeNotFound                          // 404
	handshakeResults
)

var handshakeResultLabels = [handshakeResults]string{
	"ok", "bad_request", "timeout", "too_large", "origin", "not_found",
}

func (r HandshakeResult) String() string { return handshakeResultLabels[r] }

// TLSResult is how a TLS handshake ended.
type TLSResult uint8

const (
	TLSOK        TLSResult = iota // a full handshake
	TLSResumed                    // with a session ticket
	TLSChallenge                  // an ACME server looked at the certificate it had asked for
	TLSPlainHTTP                  // the client spoke HTTP in the clear, and got 400
	TLSNotTLS                     // something else that is not TLS
	TLSVersion                    // nothing newer than TLS 1.2
	TLSTooLarge                   // the ClientHello
	TLSEarlyData                  // 0-RTT data that nobody had offered to take
	TLSProtocol                   // no HTTP/1.1 (ALPN)
	TLSName                       // there is no certificate for the name
	TLSRefused                    // the client sent an alert: mostly it does not trust the certificate
	TLSGone                       // the client left
	TLSTimeout                    // not over within the deadline
	TLSBusy                       // too many at once, or too fast from one address
	TLSFailed                     // anything else
	tlsResults
)

var tlsResultLabels = [tlsResults]string{
	"ok", "resumed", "challenge", "plain_http", "not_tls", "version", "too_large", "early_data",
	"protocol", "name", "refused", "gone", "timeout", "busy", "failed",
}

func (r TLSResult) String() string { return tlsResultLabels[r] }

// LoadResult is what became of reading the certificates, or obtaining one.
type LoadResult uint8

const (
	LoadOK LoadResult = iota
	LoadFailed
	LoadResults
)

var loadResultLabels = [LoadResults]string{"ok", "failed"}

func (r LoadResult) String() string { return loadResultLabels[r] }

// HandoverResult is what became of a live upgrade.
type HandoverResult uint8

const (
	HandoverDone HandoverResult = iota
	HandoverFailed
	HandoverResults
)

var handoverResultLabels = [HandoverResults]string{"done", "failed"}

func (r HandoverResult) String() string { return handoverResultLabels[r] }

// EndReason is why a pair was parted, in the words of the protocol's "left"
// record. A pair that ends because the server drains is EndDisconnected.
type EndReason uint8

const (
	EndNext         EndReason = iota // one of the two went on to the next partner
	EndStop                          // one of the two stopped chatting
	EndDisconnected                  // the connection of one of the two was lost
	EndStalled                       // one of the two did not read
	EndKicked                        // one of the two broke a rule
	EndClosed                        // one of the two closed their connection
	endReasons
)

var endReasonLabels = [endReasons]string{"next", "stop", "disconnected", "stalled", "kicked", "closed"}

func (r EndReason) String() string { return endReasonLabels[r] }

// ReturnResult is what came of a client's wish to have its place back, or of the
// place of one that did not come.
type ReturnResult uint8

const (
	ReturnBack    ReturnResult = iota // it has its place
	ReturnMet                         // it has one at a meeting place: another process knew the pair
	ReturnOlder                       // a newer connection of the client has it
	ReturnRefused                     // the token is not genuine, or the pair is over
	ReturnLapsed                      // nobody came in time
	returnResults
)

var returnResultLabels = [returnResults]string{"back", "met", "older", "refused", "lapsed"}

func (r ReturnResult) String() string { return returnResultLabels[r] }

// Opcode is the kind of a relayed message.
type Opcode uint8

const (
	OpcodeText Opcode = iota
	OpcodeBinary
	opcodes
)

var opcodeLabels = [opcodes]string{"text", "binary"}

func (o Opcode) String() string { return opcodeLabels[o] }

// StallResult is how a receiver that took nothing went on.
type StallResult uint8

const (
	StallRecovered StallResult = iota // it read again in time
	StallClosed                       // it was closed with 4408
	stallResults
)

var stallResultLabels = [stallResults]string{"recovered", "closed"}

func (r StallResult) String() string { return stallResultLabels[r] }

// Limit is a limit that a client ran into.
type Limit uint8

const (
	LimitMessageSize Limit = iota
	LimitMessageRate
	LimitControlRate
	limits
)

var limitLabels = [limits]string{"message_size", "message_rate", "control_rate"}

func (l Limit) String() string { return limitLabels[l] }
