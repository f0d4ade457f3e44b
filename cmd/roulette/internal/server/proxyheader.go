package server

import (
	"roulette/cmd/roulette/internal/proxy"
	"roulette/metrics"
	"roulette/netpoll"
)

// proxyHeader takes the PROXY protocol header that c has to begin with, and
// returns what stands behind it; nothing, while it is not whole or if c is
// refused.
func (l *lobby) proxyHeader(c *netpoll.Conn, b []byte) (rest []byte) {
	header, from := b, 0
	held, _ := c.Held().(*request)
	if held != nil {
		from = len(held.bytes)
		held.bytes = append(held.bytes, b[:min(len(b), proxy.MaxHeader-from)]...)
		header = held.bytes
	} else {
		held = requests.Get().(*request)
		c.Hold(held)
	}
	n, err := proxy.HeaderEnd(header)
	if n == 0 && err == nil {
		if from == 0 {
			held.bytes = append(held.bytes, b...)
		}
		return nil
	}
	if err == nil {
		held.client, err = proxy.ParseHeader(header[:n])
	}
	if err != nil {
		l.note(c, refusals[noProxyHeader].why)
		l.counters.Handshakes[metrics.HandshakeBadRequest]++
		l.refuse(c, noProxyHeader)
		return nil
	}
	clearFlag(c, headerDue)
	held.bytes = held.bytes[:0]
	if held.client.IsValid() && !l.named(c, held.client) {
		c.Close()
		return nil
	}
	return b[n-from:]
}
