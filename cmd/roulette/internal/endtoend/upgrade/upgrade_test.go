//go:build long

package upgrade

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// couples makes pairs, half of them over TLS, and has them talk.
func couples(t *testing.T, s *served, n int) *conversations {
	t.Helper()
	c := &conversations{t: t}
	for i := range n {
		addr := s.plain
		if i%2 == 1 {
			addr = s.secure
		}
		a, b := program.Meet(t, addr, addr)
		c.talk(a, b)
	}
	return c
}

func metric(t *testing.T, s *served, name string) float64 {
	t.Helper()
	_, body := program.Get(t, "http://"+s.admin+"/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			var v float64
			fmt.Sscan(value, &v)
			return v
		}
	}
	return 0
}

// TestServesOn: a successor that cannot take over changes nothing, and why is said in
// one line.
func TestServesOn(t *testing.T) {
	s := serve(t)
	c := couples(t, s, 6)
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "successor")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	self := program.Path(t)
	before := s.pid
	for _, tc := range []struct{ name, binary, want string }{
		{"no such program", "/nowhere/roulette", "no such file"},
		{"a program that is none of ours", "/bin/true", "gone"},
		{"one that has wrong settings", script("exec " + self + " serve --no-such-flag"), "gone"},
		{"one that says garbage", script("echo '}{' >&3; exec sleep 60"), "malformed"},
		{"one without TLS", script("exec " + self + " serve --listen 127.0.0.1:0 --admin ''"), "does not"},
		{"one with few descriptors", script("ulimit -n 70; exec " + self + ` "$@"`), "no place for a connection"},
		{"one that is killed", script("kill -9 $$"), "gone"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := s.upgrade(nil, "--binary", tc.binary)
			if err == nil || s.pid != before || !strings.Contains(out, tc.want) {
				t.Errorf("%v\n%s", err, out)
			}
			c.awaits(20)
		})
	}
	if out, err := s.upgrade(nil, "--dry-run"); err != nil || !strings.Contains(out, "12 connections travelled") {
		t.Errorf("rehearsal: %v\n%s", err, out)
	}
	if out, err := s.upgrade(nil); err != nil {
		t.Errorf("in the end: %v\n%s", err, out)
	}
	c.awaits(20)
	c.end()
}

// TestSignals: SIGUSR2 upgrades; a second upgrade meanwhile is refused; SIGTERM calls
// one off and drains; when either is killed before commit, the other does as if it
// had never been.
func TestSignals(t *testing.T) {
	hangs := filepath.Join(t.TempDir(), "hangs")
	if err := os.WriteFile(hangs, []byte("#!/bin/sh\nexec sleep 60\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Run("SIGUSR2", func(t *testing.T) {
		s := serve(t)
		c := couples(t, s, 4)
		before := s.pid
		if err := syscall.Kill(before, syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		s.awaits("handed over")
		if b, _ := os.ReadFile(s.log); true {
			i := strings.Index(string(b), "msg=\"handed over\"")
			fmt.Sscanf(string(b)[i+strings.Index(string(b)[i:], "pid="):], "pid=%d", &s.pid)
		}
		c.awaits(20)
		c.end()
	})
	t.Run("the successor is killed as soon as it is there", func(t *testing.T) {
		s := serve(t)
		c := couples(t, s, 4)
		before := s.pid
		out, err := s.upgrade(func(line string) {
			var path string
			var pid int
			if n, _ := fmt.Sscanf(line, "%s starts as %d", &path, &pid); n == 2 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		})
		if err == nil || s.pid != before || !strings.Contains(out, "gone") {
			t.Errorf("%v\n%s", err, out)
		}
		c.awaits(20)
		c.end()
	})
	t.Run("the predecessor is killed before commit", func(t *testing.T) {
		s := serve(t)
		a, _ := program.Meet(t, s.plain, s.plain)
		out, err := s.upgrade(func(line string) {
			if strings.Contains(line, "starts as") {
				_ = syscall.Kill(s.pid, syscall.SIGKILL)
			}
		})
		if err == nil {
			t.Errorf("it has succeeded:\n%s", out)
		}
		s.awaits("the other side is gone") // says the successor, and goes
		if err := a.ReadEnd(); err != nil {
			t.Error(err)
		}
	})
	t.Run("two at once, and SIGTERM", func(t *testing.T) {
		s := serve(t, "--drain-time", "1s")
		a, b := program.Meet(t, s.plain, s.plain)
		first := make(chan error, 1)
		started := make(chan struct{})
		go func() {
			_, err := s.upgrade(func(line string) {
				if strings.Contains(line, "starts as") {
					close(started)
				}
			}, "--binary", hangs)
			first <- err
		}()
		<-started
		if out, err := s.upgrade(nil); err == nil || !strings.Contains(out, "another upgrade is under way") {
			t.Errorf("the second: %v\n%s", err, out)
		}
		a.Write(program.Text("served on"))
		b.Expect(servertest.OpText, "served on")
		if err := syscall.Kill(s.pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := <-first; err == nil {
			t.Error("an upgrade that was called off has succeeded")
		}
		a.ExpectClose(1001)
	})
}
