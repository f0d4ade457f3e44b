package resume

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// TestLedgerAgainstAList: whatever was sent and shown, what is replayed and what
// is called lost are together what the partner has not shown.
func TestLedgerAgainstAList(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		var l Ledger
		var sizes []int // of all messages sent
		delivered := 0
		for range 2000 {
			switch random.IntN(8) {
			case 0: // an acknowledgement, perhaps one that was overtaken
				n := delivered + random.IntN(len(sizes)-delivered+1)
				if err := l.Delivered(uint64(n)); err != nil {
					t.Fatal(err)
				}
				delivered = max(delivered, n)
				if err := l.Delivered(uint64(random.IntN(n + 1))); err != nil {
					t.Fatal(err)
				}
			case 1:
				n := delivered + random.IntN(len(sizes)-delivered+1)
				from, lost, messages, err := l.Replay(uint64(n))
				if err != nil || int(from) != n+1+int(lost) || int(from)-1+len(messages) != len(sizes) {
					t.Fatalf("seed %d: shown %d of %d: from %d, lost %d, %d messages, %v", seed, n, len(sizes), from, lost, len(messages), err)
				}
				sum := 0
				delivered = n
				for i, m := range messages {
					if sum += len(m.Payload); len(m.Payload) != sizes[int(from)-1+i] {
						t.Fatalf("seed %d: message %d has %d bytes", seed, int(from)+i, len(m.Payload))
					}
				}
				bounded(t, &l, sum, len(messages))
				// Nothing was lost that would have had room.
				if lost > 0 && len(messages) < RingMessages && sum+sizes[from-2] <= RingBytes {
					t.Fatalf("seed %d: message %d was forgotten, with %d bytes in the ring", seed, from-1, sum)
				}
			default:
				size := random.IntN(64)
				if random.IntN(10) == 0 {
					size = random.IntN(64 << 10)
				}
				sizes = append(sizes, size)
				if n := l.Sent(Message{Payload: make([]byte, size)}); int(n) != len(sizes) {
					t.Fatalf("number %d of message %d", n, len(sizes))
				}
			}
			if d, s := l.Open(); int(s) != len(sizes) || int(d) < delivered {
				t.Fatalf("open: %d of %d; want %d of %d", d, s, delivered, len(sizes))
			}
		}
	}
}

func bounded(t *testing.T, l *Ledger, bytes, messages int) {
	t.Helper()
	if l.bytes != bytes || messages > RingMessages || bytes > RingBytes && messages > 1 {
		t.Fatalf("%d messages of %d bytes in the ring, %d by its own count", messages, bytes, l.bytes)
	}
}

// TestImpossibleCounts: a partner that counts what was not sent, or fewer than it
// has said, or that begins anywhere but where it stopped, is found out.
func TestImpossibleCounts(t *testing.T) {
	ledger := func() *Ledger {
		var l Ledger
		for range 5 {
			l.Sent(Message{})
			l.Showed()
		}
		_ = l.Delivered(3)
		return &l
	}
	for _, c := range []struct {
		name string
		do   func(*Ledger) error
	}{
		{"delivered more than sent", func(l *Ledger) error { return l.Delivered(6) }},
		{"replay for more than sent", func(l *Ledger) error { _, _, _, err := l.Replay(6); return err }},
		{"replay for fewer than delivered", func(l *Ledger) error { _, _, _, err := l.Replay(2); return err }},
		{"begins too early", func(l *Ledger) error { return l.Replayed(5, 0) }},
		{"begins too late", func(l *Ledger) error { return l.Replayed(7, 0) }},
		{"loses what was shown", func(l *Ledger) error { return l.Replayed(6, 1) }},
		{"loses more than there is", func(l *Ledger) error { return l.Replayed(6, 6) }},
		{"begins at nothing", func(l *Ledger) error { return l.Replayed(0, 0) }},
		{"begins at nothing, with lost ones", func(l *Ledger) error { return l.Replayed(0, ^uint64(5)) }},
		{"wraps", func(l *Ledger) error { return l.Replayed(1, ^uint64(4)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := ledger()
			before := *l
			if err := c.do(l); !errors.Is(err, ErrCount) {
				t.Errorf("error %v", err)
			}
			if l.delivered != before.delivered || l.shown != before.shown || len(l.ring) != len(before.ring) {
				t.Errorf("changed to %+v", l)
			}
		})
	}
}

func TestHaveIsDueEvery32(t *testing.T) {
	var l Ledger
	for i := 1; i <= 100; i++ {
		if due := l.Showed(); due != (i%HaveEvery == 0) {
			t.Errorf("message %d: due %t", i, due)
		} else if due {
			l.Have()
		}
	}
	if !l.Unsaid() {
		t.Error("four messages are unsaid")
	}
	if n := l.Have(); n != 100 || l.Unsaid() {
		t.Errorf("%d shown", n)
	}
}
