//go:build long

package upgrade

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// TestUpgrades: one upgrade after the other while people talk, in the clear and over
// TLS, and others do not read: nothing is lost, doubled, altered or closed.
func TestUpgrades(t *testing.T) {
	s := serve(t)
	pairs, upgrades := 40, 4
	if !testing.Short() {
		pairs, upgrades = 500, 20
	}
	c := couples(t, s, pairs)
	const stream = 3000
	piece := strings.Repeat("much to say ", 400)
	var stalled []func()
	for _, addr := range []string{s.plain, s.secure} {
		from, to := program.Meet(t, addr, addr)
		go func() {
			for i := range stream {
				from.Write(program.Text(fmt.Sprint(i, piece)))
			}
		}()
		stalled = append(stalled, func() {
			for i := range stream {
				if f, err := to.Read(); err != nil || string(f.Payload) != fmt.Sprint(i, piece) {
					t.Errorf("of the stream to %s, message %d: %.40v, %v", addr, i, f, err)
					return
				}
			}
		})
	}
	servertest.Await(t, "a backlog", func() bool { return metric(t, s, "roulette_send_backlog_connections") == 2 })
	relayed := 0.0
	for i := range upgrades {
		c.awaits(int64(2 * pairs))
		before := s.pid
		out, err := s.upgrade(nil)
		if err != nil || s.pid == before {
			t.Fatalf("upgrade %d: %v\n%s", i, err, out)
		}
		if n := metric(t, s, `roulette_handover_attempts_total{result="done"}`); n != float64(i+1) {
			t.Errorf("%v upgrades are counted, there were %d", n, i+1)
		}
		if n := metric(t, s, `roulette_relayed_messages_total{opcode="text"}`); n < relayed {
			t.Errorf("%v messages relayed; there were %v before", n, relayed)
		} else {
			relayed = n
		}
		servertest.Await(t, "the predecessor to be gone", func() bool { return syscall.Kill(before, 0) != nil })
	}
	c.awaits(int64(2 * pairs))
	for _, read := range stalled {
		read()
	}
	c.end()
	t.Logf("%d upgrades with %d pairs: %d messages there and back, the longest took %v", upgrades, pairs+2, c.rounds.Load(), time.Duration(c.silence.Load()))
}
