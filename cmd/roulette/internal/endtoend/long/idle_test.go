//go:build long

package long

import (
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// TestManyIdle: 15,000 connections that say nothing, held by one process, cost
// no goroutine, and all are alive. On a machine that grants this process fewer
// descriptors there are as many as it grants.
func TestManyIdle(t *testing.T) {
	n := min(15_000, program.RaiseDescriptors(t)-500)
	p := program.Serve(t)
	limit := int(p.Metric(t, "roulette_connections_limit"))
	n = min(n, limit)
	if n < 15_000 {
		t.Logf("only %d connections: that is the descriptor limit here", n)
	}
	descriptors, goroutines := p.Descriptors(t), p.Goroutines(t)
	resident := p.Metric(t, "process_resident_memory_bytes")

	begin := time.Now()
	clients := make([]*servertest.Conn, 0, n)
	request := []byte(servertest.Request(p.Addr, "/ws"))
	const batch = 500
	for len(clients) < n {
		first := len(clients)
		for range min(batch, n-first) {
			c := servertest.Connect(t, p.Addr)
			c.Write(request)
			clients = append(clients, c)
		}
		for _, c := range clients[first:] {
			if err := c.Upgraded(); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d connections after %v", n, time.Since(begin))

	m := p.Metrics(t)
	if got := int(m["roulette_pairs"]); got != n/2 {
		t.Errorf("%d pairs of %d clients", got, n)
	}
	if got := p.Goroutines(t); got > goroutines+2 { // a scrape's own come and go
		t.Errorf("%d goroutines, %d before", got, goroutines)
	}
	if got := p.Descriptors(t); got < descriptors+n-2 || got > descriptors+n+2 {
		t.Errorf("%d descriptors for %d connections, %d before", got, n, descriptors)
	}
	t.Logf("%.0f bytes resident more for each", (m["process_resident_memory_bytes"]-resident)/float64(n))

	for _, c := range clients {
		c.Write(servertest.Encode(servertest.Fin|servertest.OpPing, "alive?"))
	}
	for _, c := range clients {
		c.Expect(servertest.OpPong, "alive?")
	}
	for _, c := range clients {
		c.TCP.SetLinger(0) // leaves no TIME_WAIT behind
		c.TCP.Close()
	}
	servertest.Await(t, "everybody to be gone", func() bool { return p.AtRest(t) })
	servertest.Await(t, "all descriptors to be closed", func() bool { return p.Descriptors(t) <= descriptors })
	p.Stop(t)
	t.Logf("all in %v", time.Since(begin))
}
