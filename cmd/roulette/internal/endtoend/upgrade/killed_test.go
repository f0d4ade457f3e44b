package upgrade

import (
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// chats are two pairs, one over TLS, each in the middle of a message.
type chats struct {
	t     *testing.T
	pairs [2][2]*servertest.Conn
	rest  []byte // of the message
}

const halfSaid = "begun before the upgrade and ended behind it"

func (s *served) chats() *chats {
	s.t.Helper()
	c := &chats{t: s.t}
	for i, addr := range []string{s.plain, s.secure} {
		c.pairs[i][0], c.pairs[i][1] = s.pair(addr)
	}
	c.begin()
	return c
}

func (c *chats) begin() {
	message := program.Text(halfSaid)
	for _, p := range c.pairs {
		p[0].Write(message[:11])
	}
	c.rest = message[11:]
}

// goOn demands that what was begun arrives, and an answer, and begins anew.
func (c *chats) goOn() {
	c.t.Helper()
	for _, p := range c.pairs {
		p[0].Write(c.rest)
		p[1].Expect(servertest.OpText, halfSaid)
		p[1].Write(program.Text("answer"))
		p[0].Expect(servertest.OpText, "answer")
	}
	c.begin()
}

// gone demands that all connections end.
func (c *chats) gone() {
	c.t.Helper()
	for _, p := range c.pairs {
		for _, k := range p {
			if f, err := k.Read(); err == nil {
				c.t.Errorf("still there, and heard %v", f)
			}
		}
	}
}

// sentAway demands that all are told that the server goes.
func (c *chats) sentAway() {
	c.t.Helper()
	for _, p := range c.pairs {
		for _, k := range p {
			k.ExpectClose(1001)
		}
	}
}

// servesOn demands that an upgrade to binary fails, that the reason is want, and that
// nothing has changed.
func (s *served) servesOn(t *testing.T, c *chats, binary, want string) {
	t.Helper()
	defer func(was *testing.T) { s.t, c.t = was, was }(s.t)
	s.t, c.t = t, t
	before, failed := s.pid, s.metric(`roulette_handover_attempts_total{result="failed"}`)
	out, err := s.upgrade(nil, "--binary", binary)
	if err == nil || s.pid != before || !strings.Contains(out, want) {
		t.Errorf("%v, want %q\n%s", err, want, out)
	}
	c.goOn()
	if n := s.metric(`roulette_handover_attempts_total{result="failed"}`); n != failed+1 {
		t.Errorf("%v upgrades have failed, there were %v", n, failed)
	}
}

// TestSuccessorKilled: one that is killed at any word before commit changes nothing;
// from commit on all is its own, and ends with it.
func TestSuccessorKilled(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.chats()
	for _, m := range words {
		m.Do = kill + successor
		t.Run(m.String(), func(t *testing.T) {
			if !m.committed() {
				s.servesOn(t, c, m.binary(t, program.Path(t)), "gone")
				return
			}
			s, c := s, c
			if m.Word == "serving" { // the last
				s = serve(t)
				c = s.chats()
			}
			_, _ = s.upgrade(nil, "--binary", m.binary(t, program.Path(t))) // handed over, says the predecessor
			s.ends()
			if code := s.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("the predecessor ends with %d", code)
			}
			c.gone()
			s.pid = 0
		})
	}
}

// TestPredecessorKilled: one that is killed at any word before commit is gone with all
// it serves, as by any crash, and its successor goes as well; from commit on the
// successor serves.
func TestPredecessorKilled(t *testing.T) {
	t.Parallel()
	for i, m := range words {
		if !long && i%2 == 0 && !m.committed() {
			continue
		}
		m.Do = kill + predecessor
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			c := s.chats()
			if out, err := s.upgrade(nil, "--binary", m.binary(t, program.Path(t))); err == nil {
				t.Errorf("who was killed says:\n%s", out)
			}
			if !m.committed() {
				c.gone()
				s.awaits("handover: the other side is gone") // says the successor, and goes
				s.pid = 0
				return
			}
			s.pid = s.said(`msg="took over"`, "pid=")
			c.goOn()
		})
	}
}

// TestStopped: SIGTERM calls an upgrade off before commit and drains; behind it the
// successor has all, and nobody is told.
func TestStopped(t *testing.T) {
	t.Parallel()
	for i, m := range words {
		if !long && i%2 == 1 {
			continue
		}
		m.Do = stop + predecessor
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			s := serve(t, "--drain-time", "2s")
			c := s.chats()
			out, err := s.upgrade(nil, "--binary", m.binary(t, program.Path(t)))
			switch {
			case m.committed():
				if err != nil {
					t.Errorf("%v\n%s", err, out)
				}
				c.goOn()
			case err != nil: // it may be through before the signal is heard
				s.ends()
				c.sentAway()
			default:
				c.goOn()
			}
		})
	}
}

// TestMisled: what is not the word that is due, at any word of either, changes
// nothing. Without the tag long, one kind of it for each word.
func TestMisled(t *testing.T) {
	t.Parallel()
	s := serve(t, "--upgrade-freeze", "1s") // which a loaded machine keeps, too
	c := s.chats()
	for i, m := range words {
		if m.committed() {
			continue
		}
		for j, do := range []string{spoil, empty, other + "song", other + "commit", twice} {
			if !long && i%5 != j {
				continue
			}
			if do == twice && (m.Word == "state" || m.Word == "ready") { // it would stand where commit is due, or behind it
				continue
			}
			m.Do = do
			t.Run(m.String(), func(t *testing.T) { s.servesOn(t, c, m.binary(t, program.Path(t)), "") })
		}
	}
	for _, tc := range []struct {
		meddling
		want string
	}{
		{meddling{successor, "hello", alien}, "reads states 98 to 99"},
		{meddling{predecessor, "hello", alien}, "writes states 98 to 99"},
		{meddling{predecessor, "state", hang}, "in time"},
		{meddling{successor, "ready", hang}, "in time"},
	} {
		t.Run(tc.String(), func(t *testing.T) { s.servesOn(t, c, tc.binary(t, program.Path(t)), tc.want) })
	}
}

// TestHangs: one who says nothing any more at a word before the freeze is given up
// after a while.
func TestHangs(t *testing.T) {
	if !long {
		t.Skip("skipped: it takes ten seconds; go test -tags long")
	}
	t.Parallel()
	for _, m := range words[:5] {
		m.Do = hang
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			s.servesOn(t, s.chats(), m.binary(t, program.Path(t)), "")
		})
	}
}

// TestTakesLong: a successor waits for a freeze that takes longer than any other step may,
// and a predecessor goes though it does not hear that the successor serves.
func TestTakesLong(t *testing.T) {
	if !long {
		t.Skip("skipped: it takes twelve seconds; go test -tags long")
	}
	t.Parallel()
	for _, m := range []meddling{{predecessor, "state", delay}, {successor, "serving", hang}} {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			c := s.chats()
			if out, err := s.upgrade(nil, "--binary", m.binary(t, program.Path(t))); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			c.goOn()
		})
	}
}
