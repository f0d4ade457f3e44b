package main

import (
	"strings"
	"syscall"
	"testing"

	"roulette/cmd/roulette/internal/servertest"
)

func TestHealth(t *testing.T) {
	p := serve(t, "--drain-grace=1h", "--max-connections=1")
	ask := func(want int, says string, args ...string) {
		t.Helper()
		out, errs, code := output(t, "", append([]string{"health", "--admin", p.Admin}, args...)...)
		if code != want || strings.Count(out+errs, "\n") != 1 || !strings.Contains(out+errs, says) {
			t.Errorf("%v: exit code %d, %q, %q", args, code, out, errs)
		}
	}
	ask(exitOK, "ok")
	ask(exitOK, "ready", "--ready")
	c := servertest.Dial(t, p.Addr, "/echo")
	ask(exitFailed, "full", "--ready")
	ask(exitOK, "ok")
	c.Leave()
	servertest.Await(t, "it to be gone", func() bool { return p.atRest(t) })
	p.signal(t, syscall.SIGTERM)
	servertest.Await(t, "the drain", func() bool { return p.metric(t, "roulette_draining") == 1 })
	ask(exitFailed, "draining", "--ready")
	ask(exitOK, "ok")
	p.signal(t, syscall.SIGTERM)
	p.exit(t)
	ask(exitFailed, "refused")

	if _, _, code := output(t, "", "health", "--admin", "nonsense"); code != exitFailed {
		t.Errorf("exit code %d for an address that is none", code)
	}
}
