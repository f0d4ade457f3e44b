package browser

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/web/browsertest"
)

// TestBasePath: two people meet on a page that is below a path, and everything that
// the server has is there and nowhere else.
func TestBasePath(t *testing.T) {
	browsertest.Ready(t)
	p := program.Serve(t, "--base-path=/some/where/")
	for path, status := range map[string]int{
		"/some/where/": 200, "/some/where/healthz": 200, "/some/where/favicon.svg": 200,
		"/": 404, "/healthz": 404, "/ws": 404, "/favicon.svg": 404,
	} {
		if got, _ := program.Get(t, "http://"+p.Addr+path); got != status {
			t.Errorf("%s: %d, want %d", path, got, status)
		}
	}
	c := servertest.Connect(t, p.Addr)
	c.Write([]byte(servertest.Request(p.Addr, "/ws")))
	if r, err := c.Response("GET"); err != nil || r.StatusCode != http.StatusNotFound {
		t.Errorf("/ws: %v, %v", r, err)
	}
	c.TCP.Close()
	echo := servertest.Dial(t, p.Addr, "/some/where/echo")
	echo.Write(program.Text("hello"))
	echo.Expect(servertest.OpText, "hello")
	echo.Leave()

	var people []visitor
	for range 2 {
		v := visitor{t, browsertest.Shared(t)}
		browsertest.Do(t, v.tab, chromedp.Navigate("http://"+p.Addr+"/some/where")) // is sent on
		v.sees(state("idle"))
		people = append(people, v)
	}
	pair(people[0], people[1])
	people[0].says("Hello from below")
	people[1].sees(lastLine("stranger", "Hello from below"))
}
