package chaos

import (
	"net/http"
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// TestMemoryLimit: a program that has less memory than it needs goes on to serve
// pages and refuses chats.
func TestMemoryLimit(t *testing.T) {
	servertest.Parallel(t)
	p := program.Launch{Env: []string{"GOMEMLIMIT=2MiB"}}.Serve(t)
	servertest.Await(t, "memory to be short", func() bool {
		status, body := program.Get(t, "http://"+p.Admin+"/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "memory")
	})
	c := servertest.Connect(t, p.Addr)
	c.Write([]byte(servertest.Request(p.Addr, "/ws")))
	r, err := c.Response("GET")
	if err != nil || r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
		t.Errorf("a handshake is answered %v, %v", r, err)
	}
	c.TCP.Close()
	if status, _ := program.Get(t, "http://"+p.Addr+"/"); status != http.StatusOK {
		t.Errorf("a page: %d", status)
	}
	if n := p.Metric(t, `roulette_connections_rejected_total{reason="memory"}`); n != 1 {
		t.Errorf("%v rejected", n)
	}
	for _, want := range []string{"memory is short", "reason=memory"} {
		if !strings.Contains(p.Stderr.String(), want) {
			t.Errorf("%q is not logged", want)
		}
	}
	p.Stop(t)
}
