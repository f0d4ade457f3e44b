package serve

import (
	"strings"
	"syscall"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

func TestHealth(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t, "--drain-grace=1h", "--max-connections=1")
	ask := func(want int, says string, args ...string) {
		t.Helper()
		out, errs, code := program.Output(t, "", append([]string{"health", "--admin", p.Admin}, args...)...)
		if code != want || strings.Count(out+errs, "\n") != 1 || !strings.Contains(out+errs, says) {
			t.Errorf("%v: exit code %d, %q, %q", args, code, out, errs)
		}
	}
	ask(program.OK, "ok")
	ask(program.OK, "ready", "--ready")
	c := servertest.Dial(t, p.Addr, "/echo")
	ask(program.Failed, "full", "--ready")
	ask(program.OK, "ok")
	c.Leave()
	servertest.Await(t, "it to be gone", func() bool { return p.AtRest(t) })
	p.Signal(t, syscall.SIGTERM)
	servertest.Await(t, "the drain", func() bool { return p.Metric(t, "roulette_draining") == 1 })
	ask(program.Failed, "draining", "--ready")
	ask(program.OK, "ok")
	p.Signal(t, syscall.SIGTERM)
	p.Exit(t)
	ask(program.Failed, "refused")

	if _, _, code := program.Output(t, "", "health", "--admin", "nonsense"); code != program.Failed {
		t.Errorf("exit code %d for an address that is none", code)
	}
}
