package server

import (
	"github.com/gobwas/ws"

	"roulette/frame"
	"roulette/metrics"
)

// reason is why a WebSocket connection ended. Each connection has exactly one
// (I6).
type reason uint8

const (
	notEnded reason = iota
	clientClosed
	clientVanished
	protocolError
	invalidUTF8
	messageTooBig
	draining
	noPong
	stalled
	messageLate
	rateExceeded
	serverStopped
	reasons
)

// ending is a row of the table of reasons. Codes 44xx may reconnect.
type ending struct {
	code   ws.StatusCode // sent in the close frame, where one is sent
	text   string
	label  metrics.CloseCode
	by     metrics.Initiator
	paired metrics.EndReason // what the pair's end is counted as
}

var endings = [reasons]ending{
	clientClosed:   {ws.StatusNormalClosure, "", metrics.CloseNormal, metrics.ByClient, metrics.EndDisconnected},
	clientVanished: {ws.StatusAbnormalClosure, "connection lost", metrics.CloseAbnormal, metrics.ByClient, metrics.EndDisconnected},
	protocolError:  {ws.StatusProtocolError, "protocol error", metrics.CloseProtocolError, metrics.ByServer, metrics.EndKicked},
	invalidUTF8:    {ws.StatusInvalidFramePayloadData, "text is not UTF-8", metrics.CloseInvalidPayload, metrics.ByServer, metrics.EndKicked},
	messageTooBig:  {ws.StatusMessageTooBig, "message is too big", metrics.CloseTooBig, metrics.ByServer, metrics.EndKicked},
	draining:       {ws.StatusGoingAway, "server is going away", metrics.CloseGoingAway, metrics.ByServer, metrics.EndDisconnected},
	noPong:         {4408, "no pong in time", metrics.CloseTimeout, metrics.ByServer, metrics.EndDisconnected},
	stalled:        {4408, "not reading", metrics.CloseTimeout, metrics.ByServer, metrics.EndStalled},
	messageLate:    {4408, "message not finished in time", metrics.CloseTimeout, metrics.ByServer, metrics.EndStalled},
	rateExceeded:   {4429, "rate limit exceeded", metrics.CloseRateLimited, metrics.ByServer, metrics.EndKicked},
	serverStopped:  {ws.StatusAbnormalClosure, "server stopped", metrics.CloseAbnormal, metrics.ByServer, metrics.EndDisconnected},
}

// reasonOf is the reason for an offence that frame has found.
func reasonOf(offence *frame.Error) reason {
	switch offence.Code {
	case ws.StatusInvalidFramePayloadData:
		return invalidUTF8
	case ws.StatusMessageTooBig:
		return messageTooBig
	}
	return protocolError
}
