package server

import (
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/handover"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/netpoll"
)

// TestLatecomer: a connection that net/http gives back when all was handed over goes
// on to the successor, with what stands behind its request; and is refused by the
// predecessor if there is nobody to take it.
func TestLatecomer(t *testing.T) {
	for _, gone := range []bool{false, true} {
		from, addr := start(t, Config{Workers: 2})
		to, _ := start(t, Config{Workers: 1})
		from.Started()
		mine, theirs, err := handover.Pair()
		if err != nil {
			t.Fatal(err)
		}
		fd, err := unix.FcntlInt(theirs.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		theirs.Close()
		if err != nil {
			t.Fatal(err)
		}
		other, through := handover.NewConn(fd), make(chan error, 1)
		go func() {
			err := handover.Take(t.Context(), other, to.Inherit(noListeners))
			if err == nil && !gone {
				err = other.Follow(to.Latecomer)
			}
			other.Close()
			through <- err
		}()
		leaving, err := from.Leave(nil, mine.Pass)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := handover.Hand(t.Context(), mine, leaving, handover.Options{}); err != nil {
			t.Fatal(err)
		}
		leaving.End()
		if gone {
			if err := <-through; err != nil {
				t.Error(err)
			}
		}

		ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		_ = syscall.SetNonblock(ends[0], false)
		head := servertest.Request(addr, "/echo")
		if err := from.adopt(netpoll.Detached{FD: ends[1]}, netip.MustParseAddr("192.0.2.1"), []byte(head), enc(fin|textOp, "behind")); err != nil {
			t.Fatal(err)
		}
		want := []byte("HTTP/1.1 101 ")
		if gone {
			want = []byte("HTTP/1.1 503 ")
		}
		b := make([]byte, 4<<10)
		n, err := unix.Read(ends[0], b)
		if err != nil || n < len(want) || string(b[:len(want)]) != string(want) {
			t.Errorf("gone %t: answered with %q, %v", gone, b[:max(n, 0)], err)
		}
		if !gone {
			servertest.Await(t, "the echo at the successor", func() bool { return to.poller.Count() == 1 && from.poller.Count() == 0 })
		}
		unix.Close(ends[0])
		mine.Close()
		if !gone {
			if err := <-through; err != nil {
				t.Error(err)
			}
		}
	}
}

// TestLatecomerGarbage: what is no latecomer is refused, and its descriptor is left to
// whoever sent it.
func TestLatecomerGarbage(t *testing.T) {
	s, _ := start(t, Config{Workers: 1})
	l := latecomer{carry: &carry{conn: netpoll.Detached{FD: -1}}}
	good := l.append(nil)
	for n := range good {
		if err := s.Latecomer(-1, good[:n]); err == nil {
			t.Errorf("%d of %d bytes are taken", n, len(good))
		}
	}
	good[0] = newestState + 1
	if err := s.Latecomer(-1, good); err == nil {
		t.Error("one of the future is taken")
	}
}
