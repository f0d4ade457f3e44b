package server

import (
	"github.com/gobwas/ws"

	"roulette/frame"
	"roulette/metrics"
)

// reason is why a WebSocket connection ended. Each connection has exactly one
// (I8).
type reason uint8

const (
	goesOn reason = iota
	clientClosed
	clientVanished
	protocolError
	invalidUTF8
	messageTooBig
	draining
	noPong
	noHeartbeat
	stalled
	messageLate
	rateExceeded
	overloaded
	takenOver
	bannedNow
	garbled
	serverStopped
	reasons
)

// ending is a row of the table of reasons. Codes 44xx may reconnect, but for 4409.
type ending struct {
	code  ws.StatusCode // sent in the close frame, where one is sent
	text  string
	label metrics.CloseCode
	by    metrics.Initiator
	pair  parting // what becomes of its pair
	keeps bool    // its seat is kept, if the pair can be resumed
}

var endings = [reasons]ending{
	clientClosed:   {ws.StatusNormalClosure, "", metrics.CloseNormal, metrics.ByClient, closed, false},
	clientVanished: {ws.StatusAbnormalClosure, "connection lost", metrics.CloseAbnormal, metrics.ByClient, lost, true},
	protocolError:  {ws.StatusProtocolError, "protocol error", metrics.CloseProtocolError, metrics.ByServer, kicked, false},
	invalidUTF8:    {ws.StatusInvalidFramePayloadData, "text is not UTF-8", metrics.CloseInvalidPayload, metrics.ByServer, kicked, false},
	messageTooBig:  {ws.StatusMessageTooBig, "message is too big", metrics.CloseTooBig, metrics.ByServer, kicked, false},
	draining:       {ws.StatusGoingAway, "server is going away", metrics.CloseGoingAway, metrics.ByServer, lost, true},
	noPong:         {4408, "no pong in time", metrics.CloseTimeout, metrics.ByServer, lost, true},
	noHeartbeat:    {4408, "no heartbeat in time", metrics.CloseTimeout, metrics.ByServer, lost, true},
	stalled:        {4408, "not reading", metrics.CloseTimeout, metrics.ByServer, byStall, true},
	messageLate:    {4408, "message not finished in time", metrics.CloseTimeout, metrics.ByServer, byStall, true},
	rateExceeded:   {4429, "rate limit exceeded", metrics.CloseRateLimited, metrics.ByServer, kicked, false},
	overloaded:     {4453, "memory is short", metrics.CloseOverloaded, metrics.ByServer, lost, true},
	takenOver:      {4409, "another connection has taken this one's place", metrics.CloseTakenOver, metrics.ByServer, lost, false},
	bannedNow:      {4503, "banned", metrics.CloseBanned, metrics.ByServer, kicked, false},
	garbled:        {ws.StatusAbnormalClosure, "record not understood", metrics.CloseProtocolError, metrics.ByServer, kicked, false},
	serverStopped:  {ws.StatusAbnormalClosure, "server stopped", metrics.CloseAbnormal, metrics.ByServer, lost, false},
}

// goodbye is how one connection ends: the reason, the close frame that says so,
// and the code that it is counted under. These are the reason's own, except where
// the client has sent a code or an offence has one.
type goodbye struct {
	why   reason
	code  ws.StatusCode
	text  string
	label metrics.CloseCode
}

func (r reason) goodbye() goodbye {
	e := &endings[r]
	return goodbye{r, e.code, e.text, e.label}
}

// goodbyeFor answers an offence that frame has found, in its words.
func goodbyeFor(offence *frame.Error) goodbye {
	why := protocolError
	switch offence.Code {
	case ws.StatusInvalidFramePayloadData:
		why = invalidUTF8
	case ws.StatusMessageTooBig:
		why = messageTooBig
	}
	return goodbye{why, offence.Code, offence.Reason, endings[why].label}
}
