//go:build linux

package bench

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"roulette/netpoll/nettest"

	"github.com/coder/websocket"
)

// A server that treats messages wrongly is found out, and for what it does.
func TestFaultsAreDetected(t *testing.T) {
	every := func(n int) bool { return n%5 == 0 }
	alter := func(f func(p *packet)) func(int, packet) []packet {
		return func(n int, p packet) []packet {
			if every(n) {
				p.data = bytes.Clone(p.data)
				f(&p)
			}
			return []packet{p}
		}
	}
	tests := []struct {
		name  string
		relay relay
		got   func(Faults) uint64
		loses bool // so that the end is not waited for
	}{
		{"lost", relay{spoil: func(n int, p packet) []packet {
			if every(n) {
				return nil
			}
			return []packet{p}
		}}, func(f Faults) uint64 { return f.Lost }, true},
		{"everything after the first lost", relay{spoil: func(n int, p packet) []packet {
			if n > 1 {
				return nil
			}
			return []packet{p}
		}}, func(f Faults) uint64 { return f.Lost }, true},
		{"doubled", relay{spoil: func(n int, p packet) []packet {
			if every(n) {
				return []packet{p, p}
			}
			return []packet{p}
		}}, func(f Faults) uint64 { return f.Doubled }, false},
		{"byte of the body altered", relay{spoil: alter(func(p *packet) { p.data[40] ^= 1 })},
			func(f Faults) uint64 { return f.Altered }, false},
		{"byte of the head altered", relay{spoil: alter(func(p *packet) { p.data[9] ^= 1 })},
			func(f Faults) uint64 { return f.Altered }, false},
		{"cut short", relay{spoil: alter(func(p *packet) { p.data = p.data[:60] })},
			func(f Faults) uint64 { return f.Altered }, false},
		{"drawn out", relay{spoil: alter(func(p *packet) { p.data = append(p.data, ' ') })},
			func(f Faults) uint64 { return f.Altered }, false},
		{"text made binary", relay{spoil: alter(func(p *packet) { p.kind = websocket.MessageBinary })},
			func(f Faults) uint64 { return f.Altered }, false},
		{"body of another message", relay{spoil: alter(func(p *packet) {
			copy(p.data[headSize:], append(p.data[headSize+8:], p.data[headSize:]...))
		})}, func(f Faults) uint64 { return f.Altered }, false},
		{"to another pair", relay{astray: every}, func(f Faults) uint64 { return f.Misrouted }, true},
		{"of another run", relay{spoil: func(n int, p packet) []packet {
			if every(n) {
				return []packet{p, foreign(p)}
			}
			return []packet{p}
		}}, func(f Faults) uint64 { return f.Foreign }, false},
		{"no partner", relay{spoil: func(n int, p packet) []packet {
			if every(n) {
				return []packet{p, {websocket.MessageText, []byte("Sorry you dont have partner yet, check back in a minute")}}
			}
			return []packet{p}
		}}, func(f Faults) uint64 { return f.NoPartner }, false},
	}
	for i := range tests {
		test := &tests[i]
		t.Run(test.name, func(t *testing.T) {
			drain := nettest.Patience
			if test.loses {
				drain = 150 * time.Millisecond
			}
			res := spoiled(t, &test.relay, drain)
			n := test.got(res.Faults)
			if n == 0 {
				t.Fatalf("not detected: %+v", res.Faults)
			}
			// What goes astray is also missed where it should have gone.
			if other := res.Faults.Total() - n; other != 0 && (!test.loses || other != res.Faults.Lost) {
				t.Errorf("taken for something else as well: %+v", res.Faults)
			}
			if res.Err() == nil {
				t.Error("Err is nil")
			}
		})
	}
}

func TestReorderingIsDetected(t *testing.T) {
	held := make(map[uint32]packet)
	var r relay
	r.spoil = func(n int, p packet) []packet {
		h, _ := parseHead(p.data)
		r.mu.Lock()
		defer r.mu.Unlock()
		switch n % 7 {
		case 3:
			held[h.id] = p
			return nil
		case 4:
			return []packet{p, held[h.id]}
		}
		return []packet{p}
	}
	f := spoiled(t, &r, 3*time.Second).Faults
	// The last one held may never have been let go.
	if f.Reordered == 0 || f.Doubled+f.Altered+f.Misrouted+f.Foreign > 0 || f.Lost > 20 {
		t.Errorf("%+v", f)
	}
}

func spoiled(t *testing.T, r *relay, drain time.Duration) *Result {
	t.Helper()
	res, err := Run(t.Context(), Config{
		URL: r.start(t) + "/ws", Mode: Rate, Connections: 20, Rate: 2000,
		Duration: 150 * time.Millisecond, Warmup: 50 * time.Millisecond, Drain: drain,
	})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// foreign is the same message as another run would have sent it.
func foreign(p packet) packet {
	s := newStencil(len(p.data), ASCII, 1)
	h, _ := parseHead(p.data)
	f := bytes.Clone(s.frames(firstWord(chat, h.run^1, h.id), h.id, h.seq, h.time, 1))[s.header:]
	for i := range f {
		f[i] ^= s.mask[i&3]
	}
	return packet{p.kind, f}
}

// TestOutOfTurn feeds sequence numbers to one client and looks at the counts.
func TestOutOfTurn(t *testing.T) {
	tests := []struct {
		name                       string
		seqs                       []uint64
		missing, doubled, reorderd uint64
	}{
		{"in order", []uint64{0, 1, 2, 3}, 0, 0, 0},
		{"one lost", []uint64{0, 2, 3}, 1, 0, 0},
		{"one late", []uint64{0, 2, 1, 3}, 0, 0, 1},
		{"one twice", []uint64{0, 1, 1, 2}, 0, 1, 0},
		{"one twice, later", []uint64{0, 1, 2, 3, 1}, 0, 1, 0},
		{"one late and twice", []uint64{0, 2, 1, 1}, 0, 1, 1},
		{"one lost, another twice", []uint64{0, 2, 3, 3}, 1, 1, 0},
		{"backwards", []uint64{3, 2, 1, 0}, 0, 0, 3},
		{"far ahead", []uint64{0, 100, 101}, 99, 0, 0},
		{"far ahead by 64", []uint64{0, 64, 0}, 63, 1, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, c := looseLoop(t, 64)
			for _, seq := range test.seqs {
				l.message(c, head{kind: chat, run: l.run.nonce, id: c.partner, seq: seq}, true, 1)
			}
			if c.missing != test.missing || l.faults.Doubled != test.doubled || l.faults.Reordered != test.reorderd {
				t.Errorf("missing %d, %+v", c.missing, l.faults)
			}
		})
	}
}

// looseLoop is a loop that does not run, with one client that has partner 1.
func looseLoop(t *testing.T, size int) (*loop, *client) {
	t.Helper()
	r, err := newRun(t.Context(), Config{URL: "ws://127.0.0.1:1/ws", Mode: Idle, Connections: 2, Size: size})
	if err != nil {
		t.Fatal(err)
	}
	l := r.loops[0]
	t.Cleanup(func() { closeSocket(int32(l.ep), false) })
	c := &l.clients[0]
	c.reset(0, 0)
	c.state, c.ready = open, true
	l.join(c, 1)
	return l, c
}

// Every split of a stream of frames means the same as the whole.
func TestEverySplit(t *testing.T) {
	const size = 130
	l, c := looseLoop(t, size)
	s := newStencil(size, ASCII, 7)
	word := firstWord(chat, l.run.nonce, 1)
	message := func(seq uint64) []byte {
		f := bytes.Clone(s.frames(word, 1, seq, 5, 1))[s.header:]
		for i := range f {
			f[i] ^= s.mask[i&3]
		}
		return f
	}
	var in []byte
	in = append(append(in, s.reply...), message(0)...)
	in = append(append(in, 0x8a, 3), "abc"...) // a pong
	m := message(1)                            // in fragments, one empty, a pong between
	in = append(append(in, 0x01, 20), m[:20]...)
	in = append(in, 0x00, 0)
	in = append(in, 0x8a, 0)
	in = append(append(in, 0x80, 110), m[20:]...)
	in = append(append(in, 0x81, 31), "Sorry you dont have partner yet"...)
	in = append(append(in, s.reply...), message(2)...)

	c.ready = false // so that the sorry is no fault
	for i := range in {
		for j := i; j <= len(in); j += 7 {
			c.want, c.seen, c.in = 0, 0, inbox{}
			l.received, l.sorry = 0, 0
			for _, p := range [][]byte{in[:i], in[i:j], in[j:]} {
				l.feed(c, slices.Clone(p), 9)
			}
			if l.received != 3 || l.sorry != 1 || l.faults.Total() != 0 || c.state != open || c.missing != 0 {
				t.Fatalf("split at %d, %d: received %d, sorry %d, %+v, errors %v", i, j, l.received, l.sorry, l.faults, l.errors)
			}
		}
	}
}
