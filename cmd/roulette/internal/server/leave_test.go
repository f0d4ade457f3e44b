package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/handover"
	"roulette/cmd/roulette/internal/servertest"
)

// handOver has one server hand all to another, by the real conversation.
func handOver(t *testing.T, from *Server, to handover.Successor) (r handover.Report, handed, taken error) {
	t.Helper()
	return handOverWith(t, from, to, handover.Options{})
}

func handOverWith(t *testing.T, from *Server, to handover.Successor, o handover.Options) (r handover.Report, handed, taken error) {
	t.Helper()
	mine, theirs, err := handover.Pair()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(theirs.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	other := handover.NewConn(fd)
	through := make(chan error, 1)
	go func() {
		err := handover.Take(context.Background(), other, to)
		other.Close()
		through <- err
	}()
	leaving, err := from.Leave(nil, mine.Pass)
	if err != nil {
		t.Fatal(err)
	}
	r, handed = handover.Hand(t.Context(), mine, leaving, o)
	mine.Close()
	taken = <-through
	leaving.End()
	return r, handed, taken
}

func noListeners(map[string]int) error { return nil }

// handTo is moveTo by the real conversation.
func handTo(t *testing.T, from, to *Server) {
	t.Helper()
	from.Started()
	pairs, waiting, conns := from.pairs.Pairs(), from.pairs.Waiting(), from.poller.Count()
	r, handed, taken := handOver(t, from, to.Inherit(noListeners))
	if handed != nil || taken != nil {
		t.Fatal(handed, taken)
	}
	if n := from.poller.Count(); n != 0 || from.pairs.Pairs()+from.pairs.Waiting() > 0 {
		t.Errorf("%d connections are left", n)
	}
	if to.poller.Count() != conns || to.pairs.Pairs() != pairs || to.pairs.Waiting() != waiting {
		t.Errorf("%d connections, %d pairs and %d waiting; there were %d, %d and %d",
			to.poller.Count(), to.pairs.Pairs(), to.pairs.Waiting(), conns, pairs, waiting)
	}
	if l := to.Lineage(); l == nil || l.Frozen <= 0 || r.Frozen <= 0 {
		t.Errorf("%+v, %+v", l, r)
	}
}

// TestHandOver: chats go from server to server by descriptors that both have for a
// while.
func TestHandOver(t *testing.T) { testMoves(t, handTo) }

// spoilt is a successor that fails at a step.
type spoilt struct {
	handover.Successor
	at string
}

var errSpoilt = errors.New("spoilt")

func (s spoilt) fails(step string) error {
	if s.at == step {
		return errSpoilt
	}
	return nil
}

func (s spoilt) Hello(h handover.Hello) (handover.Hello, error) {
	own, err := s.Successor.Hello(h)
	return own, errors.Join(err, s.fails("hello"))
}

func (s spoilt) Connection(id uint64, fd int) error {
	return errors.Join(s.Successor.Connection(id, fd), s.fails("connection"))
}

func (s spoilt) State(b []byte) (handover.Sums, error) {
	switch s.at {
	case "bytes":
		b = b[:len(b)-1]
	case "a bit":
		b[len(b)/2] ^= 4
	}
	sums, err := s.Successor.State(b)
	if s.at == "sums" {
		sums.Pairs++
	}
	return sums, errors.Join(err, s.fails("state"))
}

// TestServesOnAfterFailure: whatever the successor does before commit, the chats go on
// where they were, and the next attempt succeeds.
func TestServesOnAfterFailure(t *testing.T) {
	s, addr := start(t, Config{Workers: 2})
	s.Started()
	a, b := couple(t, s, addr)
	anna, bert := richCouple(t, addr)
	part := enc(fin|textOp, "in two parts")
	a.Write(part[:5])
	for i, at := range []string{"hello", "connection", "state", "bytes", "sums", "hello"} {
		heir, _ := start(t, Config{Workers: 1 + i%3})
		inherits := heir.Inherit(noListeners)
		_, handed, taken := handOver(t, s, spoilt{inherits, at})
		inherits.Close()
		if handed == nil || taken == nil {
			t.Errorf("%s: %v, %v", at, handed, taken)
		}
		if strings.Contains(handed.Error(), "\n") {
			t.Errorf("%s: %v", at, handed)
		}
		said := fmt.Sprintf("after %s", at)
		b.Write(text(said))
		a.Expect(textOp, said)
		anna.says(said)
		bert.hears(said)
	}
	heir, _ := start(t, Config{Workers: 3})
	handTo(t, s, heir)
	a.Write(part[5:])
	b.Expect(textOp, "in two parts")
	bert.says("over there")
	anna.hears("over there")
	servertest.Await(t, "nobody is left", func() bool { return s.poller.Count() == 0 })
	if _, err := s.Leave(nil, nil); err == nil {
		t.Error("who has left leaves again")
	}
}
