package stamp

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"roulette/cmd/roulette/internal/safety"
	"roulette/frame"
)

var start = time.Unix(1_770_000_000, 0)

// chat is one direction of a chat, as its receiver keeps it.
type chat struct {
	opening  string
	who      Opening
	messages []safety.Line
	marks    []string // by how many messages there were; "" where there is none, and at 0
}

// relay has messages relayed by a server, with a mark after every 32, and at the end.
func relay(s *Stamper, c *Chain, who Opening, messages []safety.Line, now time.Time) chat {
	var w Scratch
	k := chat{who: who, messages: messages, marks: make([]string, 1, len(messages)+1)}
	k.opening = string(s.AppendOpening(nil, c, &who, &w))
	var frames []byte
	for _, m := range messages {
		frames = frame.AppendMessage(frames, ws.OpCode(m.Op), m.Payload)
	}
	for len(frames) > 0 {
		frames = s.Add(c, frames, &w)
		mark := ""
		if c.Marked() || len(frames) == 0 {
			mark = string(s.AppendMark(nil, c, now, &w))
		}
		k.marks = append(k.marks, mark)
	}
	return k
}

func somebody() (o Opening) {
	o.Pair = [16]byte(safety.NewPerson())
	o.Reporter, o.Reported = safety.NewPerson(), safety.NewPerson()
	o.Network = [...]netip.Prefix{
		{}, netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/64"), netip.MustParsePrefix("2001:db8::1/128"),
	}[rand.IntN(4)]
	return o
}

// said are random messages: many short ones, a few long ones, some the same.
func said(n int) (list []safety.Line) {
	for range n {
		size := [...]int{0, 1, 5, 40, 125, 126, 2000}[rand.IntN(7)]
		text := bytes.Repeat([]byte{"abc"[rand.IntN(3)]}, size)
		for i := range text {
			if rand.IntN(10) == 0 {
				text[i] = byte('a' + rand.IntN(26))
			}
		}
		list = append(list, safety.Line{Op: byte(1 + rand.IntN(2)), Payload: text})
	}
	return list
}

// run is one of k from a mark to the next or a later one.
func (k *chat) runs() (all []Run) {
	for from := range k.marks {
		for to := from + 1; to < len(k.marks) && to-from <= safety.MaxLines; to++ {
			if (from == 0 || k.marks[from] != "") && k.marks[to] != "" {
				all = append(all, Run{k.opening, k.marks[from], k.marks[to], slices.Clone(k.messages[from:to])})
			}
		}
	}
	return all
}

func TestTrueRuns(t *testing.T) {
	s := New(safety.NewSecret())
	other := New(s.secret) // another process, or node
	n := 0
	for size := range 100 {
		who := somebody()
		c := s.Begin(1)
		k := relay(s, &c, who, said(size), start)
		for _, r := range k.runs() {
			n++
			for _, by := range []*Stamper{s, other} {
				got, err := by.Verify(&r, start.Add(safety.ReportWithin))
				if err != nil || got != who {
					t.Fatalf("%d messages: %+v, %v, want %+v", len(r.Messages), got, err, who)
				}
			}
		}
		if o, ok := other.Open(k.opening); !ok || o != who {
			t.Fatalf("%+v, want %+v", o, who)
		}
	}
	if n < 200 {
		t.Errorf("%d runs", n)
	}
}

// TestMutatedRuns: of what was relayed everything is taken, and nothing that was
// changed in any way, or is of another chain, pair, process or secret.
func TestMutatedRuns(t *testing.T) {
	secret := safety.NewSecret()
	s, foreign := New(secret), New(safety.NewSecret())
	process := New(secret)
	var worlds []chat
	for i := range 60 {
		by := []*Stamper{s, s, process, foreign}[i%4]
		c := by.Begin(uint32(i))
		worlds = append(worlds, relay(by, &c, somebody(), said(1+rand.IntN(100)), start))
	}
	twin := append([]chat(nil), worlds[0]) // the same was said in another chat of the same two
	c := s.Begin(1)
	twin = append(twin, relay(s, &c, worlds[0].who, worlds[0].messages, start))

	const wanted = 20_000
	counts := make(map[string]int)
	for n := 0; n < wanted; {
		k := &worlds[4*rand.IntN(15)]
		runs := k.runs()
		r := runs[rand.IntN(len(runs))]
		if _, err := s.Verify(&r, start); err != nil {
			t.Fatalf("the true one: %v", err)
		}
		o := &worlds[rand.IntN(len(worlds))]
		name := mutate(&r, k, o, twin)
		if name == "" {
			continue
		}
		n++
		counts[name]++
		if who, err := s.Verify(&r, start); err == nil {
			t.Fatalf("%s: taken, as of %+v", name, who)
		}
	}
	for name, n := range counts {
		if n < 50 {
			t.Errorf("%s: only %d times", name, n)
		}
	}
	t.Logf("%d runs of %d kinds refused: %v", wanted, len(counts), counts)
}

// mutate changes r, which is of k, and says how; o is another chat. Empty: it is as it
// was.
func mutate(r *Run, k, o *chat, twin []chat) string {
	m := r.Messages
	i, j := rand.IntN(len(m)), rand.IntN(len(m))
	other := o.runs()
	foreign := other[rand.IntN(len(other))]
	flip := func(text string) string {
		b := []byte(text)
		at := rand.IntN(len(b))
		b[at] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_\n="[rand.IntN(66)]
		return string(b)
	}
	same := *r
	same.Messages = slices.Clone(m)
	var name string
	switch rand.IntN(20) {
	case 0:
		name = "a byte of a message"
		if len(m[i].Payload) == 0 {
			return ""
		}
		m[i].Payload = bytes.Clone(m[i].Payload)
		m[i].Payload[rand.IntN(len(m[i].Payload))] ^= 1 << rand.IntN(8)
	case 1:
		name = "a message's kind"
		m[i].Op ^= 3
	case 2:
		name = "two messages change places"
		m[i], m[j] = m[j], m[i]
	case 3:
		name = "a message is left out"
		r.Messages = slices.Delete(m, i, i+1)
	case 4:
		name = "a message is put in"
		r.Messages = slices.Insert(m, i, m[j])
	case 5:
		name = "a message takes another's place"
		m[i] = m[j]
	case 6:
		name = "a byte moves to the next message"
		if i+1 == len(m) || len(m[i].Payload) == 0 {
			return ""
		}
		last := len(m[i].Payload) - 1
		m[i+1].Payload = append([]byte{m[i].Payload[last]}, m[i+1].Payload...)
		m[i].Payload = m[i].Payload[:last]
	case 7:
		name = "the end is cut off"
		m[i].Payload = m[i].Payload[:len(m[i].Payload)/2]
	case 8:
		name = "the opening's text"
		r.Opening = flip(r.Opening)
	case 9:
		name = "the first mark's text"
		if r.From == "" {
			return ""
		}
		r.From = flip(r.From)
	case 10:
		name = "the last mark's text"
		r.To = flip(r.To)
	case 11:
		name = "no first mark"
		r.From = ""
	case 12:
		name = "the marks change places"
		r.From, r.To = r.To, r.From
	case 13:
		name = "the opening of another chat"
		r.Opening = o.opening
	case 14:
		name = "the marks of another chat"
		r.From, r.To = foreign.From, foreign.To
	case 15:
		name = "the messages of another chat"
		r.Messages = foreign.Messages
	case 16:
		name = "an opening for a mark, or a mark for an opening"
		if rand.IntN(2) == 0 {
			r.To = r.Opening
		} else {
			r.Opening = r.To
		}
	case 17:
		name = "the same words of another chat of the two"
		a, b := twin[0].runs(), twin[1].runs()
		n := rand.IntN(len(a))
		*r = Run{a[n].Opening, b[n].From, b[n].To, a[n].Messages}
		return name
	case 18:
		name = "no mark, a short one, a long one"
		r.To = [...]string{"", r.To[:len(r.To)-1], r.To + "A", strings.Repeat("A", 1<<16)}[rand.IntN(4)]
	case 19:
		name = "another run of the same chat"
		all := k.runs()
		r.Messages = all[rand.IntN(len(all))].Messages
	}
	if r.Opening == same.Opening && r.From == same.From && r.To == same.To && slices.EqualFunc(r.Messages, same.Messages, func(a, b safety.Line) bool {
		return a.Op == b.Op && bytes.Equal(a.Payload, b.Payload)
	}) {
		return ""
	}
	return name
}

func TestBounds(t *testing.T) {
	s := New(safety.NewSecret())
	c := s.Begin(1)
	big := bytes.Repeat([]byte("x"), safety.MaxLineBytes/2)
	k := relay(s, &c, somebody(), []safety.Line{{Op: 1, Payload: big}, {Op: 2, Payload: big}}, start)
	r := Run{k.opening, "", k.marks[2], k.messages}
	for _, tc := range []struct {
		description string
		after       time.Duration
		change      func(*Run)
		want        error
	}{
		{"in time", safety.ReportWithin, func(*Run) {}, nil},
		{"late", safety.ReportWithin + time.Second, func(*Run) {}, ErrLate},
		{"a clock that is behind", -time.Minute, func(*Run) {}, nil},
		{"one that is an hour behind", -time.Hour, func(*Run) {}, ErrLate},
		{"no message", 0, func(r *Run) { r.Messages = nil }, ErrBounds},
		{"a byte too many", 0, func(r *Run) { r.Messages = append(r.Messages, safety.Line{Op: 1, Payload: []byte("x")}) }, ErrBounds},
		{"too many messages", 0, func(r *Run) { r.Messages = make([]safety.Line, safety.MaxLines+1) }, ErrBounds},
	} {
		r := r
		r.Messages = slices.Clone(r.Messages)
		tc.change(&r)
		if _, err := s.Verify(&r, start.Add(tc.after)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.description, err, tc.want)
		}
	}
}

// TestTakingOver: a chain goes on in another process, under its own key, and what spans
// the two is one run. A process with another secret, or that has inherited nothing,
// stamps nothing more of it.
func TestTakingOver(t *testing.T) {
	secret := safety.NewSecret()
	first := New(secret)
	who := somebody()
	c := first.Begin(7)
	k := relay(first, &c, who, said(40), start)
	for generation := range 3 {
		names := first.Processes()
		if len(names) != generation+1 {
			t.Fatalf("%d processes", len(names))
		}
		written := c.Append(nil)
		next := New(secret)
		next.Inherit(names)
		next.Begin(1) // a chain of its own, with the same number
		var ok bool
		if c, ok = next.Restore(written, names); !ok || !c.Of(7) || c.Of(8) {
			t.Fatalf("%+v, %t", c, ok)
		}
		more := relay(next, &c, who, said(9), start)
		k.messages = append(k.messages, more.messages...)
		k.marks = append(k.marks, more.marks[1:]...)
		stranger := New(safety.NewSecret())
		if c, ok := stranger.Restore(written, names); !ok || c != (Chain{}) {
			t.Fatalf("another secret: %+v, %t", c, ok)
		}
		for n := range written {
			if _, ok := next.Restore(written[:n], names); ok && n > 0 {
				t.Fatalf("%d bytes are a chain", n)
			}
		}
		if _, ok := next.Restore(written, nil); ok {
			t.Fatal("a chain of nobody")
		}
		first = next
	}
	spans := 0
	for _, r := range k.runs() {
		if _, err := first.Verify(&r, start); err != nil {
			t.Fatal(err)
		}
		if len(r.Messages) > 20 {
			spans++
		}
	}
	if spans == 0 {
		t.Error("none spans two processes")
	}
}

func TestNoChain(t *testing.T) {
	s := New(safety.NewSecret())
	var c Chain
	var w Scratch
	frames := frame.AppendMessage(nil, ws.OpText, []byte("hello"))
	if rest := s.Add(&c, frames, &w); len(rest) != 0 || c != (Chain{}) || len(c.Append(nil)) != 0 || c.Of(0) {
		t.Errorf("%+v", c)
	}
	c = s.Begin(1)
	c.n = most
	if s.Add(&c, frames, &w); c != (Chain{}) {
		t.Errorf("a chain goes round: %+v", c) // T1
	}
}

func TestNames(t *testing.T) {
	secret := safety.NewSecret()
	b, again, other := NewBlocks(secret), NewBlocks(secret), NewBlocks(safety.NewSecret())
	seen := make(map[string]bool)
	for range 1000 {
		by, blocked := safety.NewPerson(), safety.NewPerson()
		name := string(b.AppendName(nil, by, blocked))
		if len(name) != NameSize || seen[name] {
			t.Fatalf("%q", name)
		}
		seen[name] = true
		if got, ok := again.Named(by, name); !ok || got != blocked {
			t.Fatalf("%v, %t, want %v", got, ok, blocked)
		}
		if got, _ := b.Named(blocked, name); got == blocked {
			t.Fatal("somebody else reads it")
		}
		if got, _ := other.Named(by, name); got == blocked {
			t.Fatal("another secret reads it")
		}
	}
	for _, bad := range []string{"", "A", strings.Repeat("A", 21), strings.Repeat("A", 23), strings.Repeat("=", 22), strings.Repeat("A", 21) + "\n", strings.Repeat("A", 21) + "B"} {
		if p, ok := b.Named(safety.NewPerson(), bad); ok {
			t.Errorf("%q is %v", bad, p)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	s := New(safety.NewSecret())
	c := s.Begin(1)
	w := new(Scratch)
	frames := frame.AppendMessage(nil, ws.OpText, bytes.Repeat([]byte("x"), 300))
	if n := testing.AllocsPerRun(100, func() { s.Add(&c, frames, w) }); n != 0 {
		t.Errorf("%v for a message", n)
	}
	dst := make([]byte, 0, 1000)
	if n := testing.AllocsPerRun(100, func() { s.AppendMark(dst, &c, start, w) }); n != 0 {
		t.Errorf("%v for a mark", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, size := range []int{64, 1024, 16 << 10} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			s := New(safety.NewSecret())
			c := s.Begin(1)
			var w Scratch
			frames := frame.AppendMessage(nil, ws.OpText, bytes.Repeat([]byte("x"), size))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				s.Add(&c, frames, &w)
			}
		})
	}
}

func BenchmarkMark(b *testing.B) {
	s := New(safety.NewSecret())
	c := s.Begin(1)
	var w Scratch
	dst := make([]byte, 0, 1000)
	for b.Loop() {
		s.AppendMark(dst, &c, start, &w)
	}
}

func BenchmarkOpening(b *testing.B) {
	s := New(safety.NewSecret())
	c, o := s.Begin(1), somebody()
	var w Scratch
	dst := make([]byte, 0, 1000)
	for b.Loop() {
		s.AppendOpening(dst, &c, &o, &w)
	}
}

func BenchmarkVerify(b *testing.B) {
	s := New(safety.NewSecret())
	c := s.Begin(1)
	messages := slices.Repeat([]safety.Line{{Op: 1, Payload: bytes.Repeat([]byte("x"), 2048)}}, 32)
	k := relay(s, &c, somebody(), messages, start)
	r := Run{k.opening, "", k.marks[32], messages}
	for b.Loop() {
		if _, err := s.Verify(&r, start); err != nil {
			b.Fatal(err)
		}
	}
}
