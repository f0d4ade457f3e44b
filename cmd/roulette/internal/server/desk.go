package server

import (
	"roulette/metrics"
	"roulette/netpoll"
)

// desk is what a worker's lobby and its chats have in common. It belongs to the worker.
type desk struct {
	// Immutable.
	server *Server
	worker *netpoll.Worker

	rules    *rules
	counters metrics.Counters
	reply    []byte // scratch: a response or a close frame
}

// send writes b to c.
func (d *desk) send(c *netpoll.Conn, b []byte) {
	c.Lock()
	c.Send(d.worker, b, c)
	c.Unlock()
}
