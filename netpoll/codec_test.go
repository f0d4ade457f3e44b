package netpoll

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"unsafe"

	"roulette/netpoll/nettest"

	"golang.org/x/sys/unix"
)

// toy is a codec whose every mistake in order shows: a record has a header of a
// kind and a length, the payload masked with its number, and a sum over all of
// them.
type toy struct {
	Coded
	in, out   uint32 // numbers of the next records
	most      int
	due       int // answers
	every     int // own record after so many; 0: none
	failed    bool
	ended     bool
	sealing   atomic.Bool
	ownSealed int
}

func toyOf(k *Coded) Codec { return (*toy)(unsafe.Pointer(k)) } // its first field

const (
	toyBefore = 5
	toyAfter  = 4

	toyData = iota
	toyAsk  // answer with
	toyAnswer
	toyEnd
)

var errToy = errors.New("toy: not the record that was due")

func (k *toy) Shape() (before, most, after int) { return toyBefore, k.most, toyAfter }

func toySum(b []byte, number uint32) uint32 {
	sum := number*2654435761 + 12345
	for _, c := range b {
		sum = sum*16777619 ^ uint32(c)
	}
	return sum
}

func toyMask(b []byte, number uint32) {
	for i := range b {
		b[i] ^= byte(number*31 + uint32(i)*7 + 1)
	}
}

func toySeal(record []byte, kind byte, number uint32) {
	end := len(record) - toyAfter
	record[0] = kind
	binary.BigEndian.PutUint32(record[1:], uint32(end-toyBefore))
	toyMask(record[toyBefore:end], number)
	binary.BigEndian.PutUint32(record[end:], toySum(record[:end], number))
}

// toyOpen takes a whole record off b; length 0: it is not whole.
func toyOpen(b []byte, number uint32) (plain []byte, kind byte, length int, err error) {
	if len(b) < toyBefore {
		return nil, 0, 0, nil
	}
	n := int(binary.BigEndian.Uint32(b[1:]))
	if length = toyBefore + n + toyAfter; length > MaxRecord {
		return nil, 0, 0, errToy
	}
	if len(b) < length {
		return nil, 0, 0, nil
	}
	end := toyBefore + n
	if binary.BigEndian.Uint32(b[end:]) != toySum(b[:end], number) {
		return nil, 0, 0, errToy
	}
	toyMask(b[toyBefore:end], number)
	return b[toyBefore:end], b[0], length, nil
}

func (k *toy) Open(_ *Worker, b []byte) (plain []byte, length int, s Signal, err error) {
	if k.failed {
		panic("opened after an error")
	}
	plain, kind, length, err := toyOpen(b, k.in)
	if err != nil || length == 0 {
		k.failed = err != nil
		return nil, 0, 0, err
	}
	k.in++
	switch kind {
	case toyAsk:
		k.due++
		return nil, length, OwnDue, nil
	case toyEnd:
		return nil, length, PeerEnded, nil
	}
	return plain, length, 0, nil
}

func (k *toy) number() uint32 {
	if k.ended {
		panic("sealed behind the end")
	}
	k.out++
	return k.out - 1
}

func (k *toy) Seal(_ *Worker, record []byte) (due bool) {
	if !k.sealing.CompareAndSwap(false, true) {
		panic("two seal at a time")
	}
	toySeal(record, toyData, k.number())
	k.sealing.Store(false)
	if k.every > 0 && int(k.out)%k.every == 0 {
		k.due++
		return true
	}
	return false
}

func (k *toy) Own(_ *Worker, dst []byte) []byte {
	for ; k.due > 0; k.due-- {
		dst = k.append(dst, toyAnswer)
		k.ownSealed++
	}
	return dst
}

func (k *toy) End(_ *Worker, dst []byte) []byte {
	dst = k.append(dst, toyEnd)
	k.ended = true
	return dst
}

func (k *toy) append(dst []byte, kind byte) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, toyBefore+toyAfter)...)
	toySeal(dst[at:], kind, k.number())
	return dst
}

// toyClient is the other end of a toy.
type toyClient struct {
	net.Conn
	t       testing.TB
	in, out uint32
	rest    []byte
	plain   []byte
	answers int
	ended   bool
}

func (c *toyClient) record(kind byte, payload []byte) []byte {
	record := append(append(make([]byte, toyBefore), payload...), make([]byte, toyAfter)...)
	toySeal(record, kind, c.out)
	c.out++
	return record
}

func (c *toyClient) say(payload []byte) {
	c.t.Helper()
	if _, err := c.Conn.Write(c.record(toyData, payload)); err != nil {
		c.t.Fatal(err)
	}
}

// until reads until done.
func (c *toyClient) until(done func() bool) {
	c.t.Helper()
	b := make([]byte, 64<<10)
	for !done() {
		n, err := c.Conn.Read(b)
		if c.rest = append(c.rest, b[:n]...); err != nil {
			c.t.Fatalf("after %d bytes and %d records: %v", len(c.plain), c.in, err)
		}
		for {
			plain, kind, length, err := toyOpen(c.rest, c.in)
			if err != nil {
				c.t.Fatalf("record %d: %v", c.in, err)
			}
			if length == 0 {
				break
			}
			if c.ended {
				c.t.Fatal("a record behind the end")
			}
			c.in++
			switch kind {
			case toyData:
				if len(plain) == 0 {
					c.t.Error("an empty record")
				}
				c.plain = append(c.plain, plain...)
			case toyAnswer:
				c.answers++
			case toyEnd:
				c.ended = true
			}
			c.rest = c.rest[length:]
		}
	}
}

// tail reads to the end of the stream, which must come in good order.
func (c *toyClient) tail() {
	c.t.Helper()
	c.until(func() bool { return c.ended })
	if rest, err := io.ReadAll(c.Conn); err != nil || len(rest) > 0 {
		c.t.Errorf("behind the end: %q, %v", rest, err)
	}
}

// coded opens a connection of w with a toy, and its client.
func codedConn(t testing.TB, p *Poller, w *Worker, k *toy, unread []byte) (*Conn, *toyClient) {
	t.Helper()
	if k.most == 0 {
		k.most = 1000
	}
	fd, socket := tcpPair(t)
	var c *Conn
	on(t, w, func() {
		if err := w.Adopt(Detached{FD: fd, Codec: k, Unread: unread}, func(_ Handler, conn *Conn) { c = conn }); err != nil {
			t.Error(err)
		}
	})
	return c, &toyClient{Conn: socket, t: t}
}

func TestCodecEcho(t *testing.T) {
	for _, most := range []int{1, 7, 100, 16 << 10} {
		p := open(t, Config{Workers: 1}, hooks{read: echo})
		_, client := codedConn(t, p, p.workers[0], &toy{most: most, every: 3}, nil)
		var want []byte
		for i := range 200 {
			message := bytes.Repeat([]byte{byte(i)}, 1+i*i%3000)
			want = append(want, message...)
			client.say(message)
			client.until(func() bool { return len(client.plain) >= len(want) })
		}
		if !bytes.Equal(client.plain, want) {
			t.Errorf("most %d: the echo differs", most)
		}
		client.until(func() bool { return client.answers >= int(client.in-1)/4 })
	}
}

// TestCodecEveryCut sends a stream in two pieces, cut at every byte; between them the
// codec may move.
func TestCodecEveryCut(t *testing.T) {
	for _, move := range []bool{false, true} {
		t.Run(fmt.Sprintf("move=%v", move), func(t *testing.T) { everyCut(t, move) })
	}
}

func everyCut(t *testing.T, move bool) {
	var got []byte
	reads := 0
	p := open(t, Config{Workers: 1}, hooks{read: func(_ *Worker, c *Conn, b []byte) { got = append(got, b...); reads++ }})
	w := p.workers[0]
	var stream, want []byte
	client := &toyClient{t: t}
	for i, size := range []int{1, 40, 3, 0, 90} {
		stream = append(stream, client.record(toyData, bytes.Repeat([]byte{byte('a' + i)}, size))...)
		want = append(want, bytes.Repeat([]byte{byte('a' + i)}, size)...)
	}
	for cut := range len(stream) + 1 {
		on(t, w, func() {
			got, reads = got[:0], 0
			fd, _ := tcpPair(t)
			err := w.Adopt(Detached{FD: fd, Codec: &toy{most: 100}, Unread: stream[:cut]}, func(_ Handler, c *Conn) {})
			if err != nil {
				t.Error(err)
			}
			w.Each(func(c *Conn) {
				if move {
					k := c.Codec().(*toy)
					c.MoveCodec(&toy{most: k.most, in: k.in, out: k.out})
				}
				c.take(stream[cut:])
				if !bytes.Equal(got, want) || reads > 2 {
					t.Errorf("cut at %d: %q in %d reads", cut, got, reads)
				}
				if s := c.spilled(); s != nil && s.partial != nil {
					t.Errorf("cut at %d: bytes are kept", cut)
				}
				c.Close()
			})
		})
	}
}

// TestCodecRelayInPlace: a message that is relayed from one coded connection to
// another is sealed where it was opened, and what lies behind it is unharmed.
func TestCodecRelayInPlace(t *testing.T) {
	var to atomic.Pointer[Conn]
	p := open(t, Config{Workers: 1}, hooks{read: func(w *Worker, c *Conn, b []byte) {
		for len(b) > 0 { // in pieces of ten, each sent before the next is looked at
			piece := b[:min(10, len(b))]
			b = b[len(piece):]
			if w.around(piece, toyBefore, toyAfter) == nil {
				t.Error("does not lie in the read buffer")
			}
			p := to.Load()
			p.Lock()
			p.Send(w, piece, c)
			p.Unlock()
		}
	}})
	w := p.workers[0]
	_, a := codedConn(t, p, w, &toy{}, nil)
	receiver, b := codedConn(t, p, w, &toy{every: 5}, nil)
	to.Store(receiver)
	message := make([]byte, 996)
	for i := range message {
		message[i] = byte(i * 7)
	}
	a.say(message)
	b.until(func() bool { return len(b.plain) == len(message) })
	if !bytes.Equal(b.plain, message) {
		t.Errorf("got %q", b.plain)
	}
	if !nettest.RaceEnabled {
		record := bytes.Clone(message)
		on(t, w, func() {
			copy(w.buf[100:], record)
			if n := testing.AllocsPerRun(100, func() {
				receiver.Lock()
				receiver.Send(w, w.buf[100:164], nil)
				receiver.Unlock()
			}); n > 0.5 { // the own records
				t.Errorf("%v allocations for a message", n)
			}
		})
	}
}

// TestCodecBacklog: what a slow receiver has not taken stays sealed, in order, and
// the end comes behind it.
func TestCodecBacklog(t *testing.T) {
	p := open(t, Config{Workers: 2}, hooks{})
	w := p.workers[0]
	k := &toy{most: 700, every: 50}
	c, client := codedConn(t, p, w, k, nil)
	var sent []byte
	for c.Pending() < 200<<10 {
		b := make([]byte, 1+rand.IntN(5000))
		for i := range b {
			b[i] = byte(len(sent) + i)
		}
		by := p.workers[rand.IntN(2)]
		on(t, by, func() {
			c.Lock()
			defer c.Unlock()
			if c.SendTwo(by, b[:len(b)/3], b[len(b)/3:], nil) == Gone {
				t.Error("gone")
			}
		})
		sent = append(sent, b...)
	}
	on(t, w, func() { c.Finish([]byte("goodbye")) })
	client.tail()
	if want := append(sent, "goodbye"...); !bytes.Equal(client.plain, want) {
		t.Errorf("%d bytes arrived of %d, or others", len(client.plain), len(want))
	}
	if client.answers != k.ownSealed || k.ownSealed == 0 {
		t.Errorf("%d own records arrived of %d", client.answers, k.ownSealed)
	}
	client.Close()
	nettest.Await(t, "closed", func() bool { return p.Count() == 0 })
}

// TestCodecLimit: what is beyond the limit is not sealed.
func TestCodecLimit(t *testing.T) {
	kernel := newManualKernel()
	stalls := 0
	p := open(t, Config{Kernel: kernel, Workers: 1, BacklogLimit: 1000}, hooks{
		stalled: func(_ *Worker, c *Conn) { stalls++; c.Finish(nil) },
	})
	w := p.workers[0]
	k := &toy{most: 100}
	c, client := codedConn(t, p, w, k, nil)
	kernel.full.Store(true)
	on(t, w, func() {
		c.Lock()
		defer c.Unlock()
		for i, send := range []struct {
			size int
			want Outcome
		}{
			{500, Queued},               // 5 records of 109 bytes
			{500 - 5*9 + 1 - 4*9, Gone}, // with their ends, one byte too many
			{500 - 5*9 - 5*9, Queued},   // 1000 bytes
			{1, Gone},
		} {
			before := k.out
			if got := c.Send(w, make([]byte, send.size), nil); got != send.want || got == Gone && k.out != before {
				t.Errorf("%d: outcome %d, %d records sealed", i, got, k.out-before)
			}
		}
	})
	kernel.advance(t, p, 0)
	on(t, w, func() {
		if stalls != 1 {
			t.Errorf("reported %d times", stalls)
		}
	})
	kernel.full.Store(false)
	kernel.advance(t, p, 0)
	client.tail()
}

// TestCodecAnswers: own records answer while nobody sends, and pause who asks for
// more of them than it takes.
func TestCodecAnswers(t *testing.T) {
	var reads atomic.Int32
	p := open(t, Config{Workers: 1}, hooks{read: func(w *Worker, c *Conn, b []byte) { reads.Add(1); echo(w, c, b) }})
	c, client := codedConn(t, p, p.workers[0], &toy{}, nil)
	client.say([]byte("one"))
	for range 10 {
		if _, err := client.Write(client.record(toyAsk, nil)); err != nil {
			t.Fatal(err)
		}
	}
	client.until(func() bool { return client.answers == 10 && reads.Load() > 0 }) // the echo may come behind them
	if reads.Load() != 1 {
		t.Errorf("%d reads for one message", reads.Load())
	}
	// More than all the buffers between them hold.
	const many = 1_500_000
	var b []byte
	for range many {
		b = append(b, client.record(toyAsk, nil)...)
	}
	written := make(chan error, 1)
	go func() {
		_, err := client.Write(b)
		written <- err
	}()
	nettest.Await(t, "it does not read", c.Paused)
	client.until(func() bool { return client.answers == 10+many })
	if err := receive(t, "all is written", written); err != nil {
		t.Error(err)
	}
}

// TestCodecGarbled: a byte that is not as it should be ends the connection, and
// what came before it is delivered; nothing of it and behind it is.
func TestCodecGarbled(t *testing.T) {
	for at := range toyBefore + 5 + toyAfter {
		var got []byte
		garbled := make(chan error, 2)
		causes := make(chan Cause, 1)
		p := open(t, Config{Workers: 1}, hooks{
			read:    func(_ *Worker, _ *Conn, b []byte) { got = append(got, b...) },
			garbled: func(_ *Worker, c *Conn, err error) { garbled <- err; c.Finish(nil) },
			closed:  func(_ *Worker, _ *Conn, cause Cause) { causes <- cause },
		})
		k := &toy{}
		_, client := codedConn(t, p, p.workers[0], k, nil)
		stream := client.record(toyData, []byte("before"))
		bad := client.record(toyData, []byte("wrong"))
		bad[at] ^= 0x81
		stream = append(append(stream, bad...), client.record(toyData, bytes.Repeat([]byte("behind"), 500))...)
		if _, err := client.Write(stream); err != nil {
			t.Fatal(err)
		}
		client.tail()
		if err := receive(t, "garbled", garbled); !errors.Is(err, errToy) {
			t.Error(err)
		}
		client.Close()
		receive(t, "closed", causes)
		if string(got) != "before" || len(garbled) > 0 {
			t.Errorf("byte %d: got %q, garbled %d times more", at, got, len(garbled))
		}
	}
}

// TestCodecPeerEnds: the end that the peer's codec tells is answered and ends the
// connection, without a FIN.
func TestCodecPeerEnds(t *testing.T) {
	var got []byte
	causes := make(chan Cause, 1)
	p := open(t, Config{Workers: 1}, hooks{
		read:   func(_ *Worker, _ *Conn, b []byte) { got = append(got, b...) },
		closed: func(_ *Worker, _ *Conn, cause Cause) { causes <- cause },
	})
	_, client := codedConn(t, p, p.workers[0], &toy{}, nil)
	if _, err := client.Write(append(client.record(toyData, []byte("last words")), client.record(toyEnd, nil)...)); err != nil {
		t.Fatal(err)
	}
	client.tail()
	if cause := receive(t, "closed", causes); cause != EndOfFile || string(got) != "last words" {
		t.Errorf("cause %d, got %q", cause, got)
	}
}

// TestCodecDetach: a connection moves to another Poller in the middle of a record,
// with a backlog, and nothing is lost in either direction.
func TestCodecDetach(t *testing.T) {
	first := open(t, Config{Workers: 1}, hooks{})
	var got bytes.Buffer
	arrived := make(chan int, 100)
	second := open(t, Config{Workers: 2}, hooks{read: func(_ *Worker, _ *Conn, b []byte) { got.Write(b); arrived <- len(b) }})
	w := first.workers[0]
	c, client := codedConn(t, first, w, &toy{most: 500}, nil)
	fillCoded := bytes.Repeat([]byte("0123456789"), 30_000)
	sent := 0
	for c.Pending() == 0 {
		on(t, w, func() { c.Lock(); c.Send(w, fillCoded, nil); c.Unlock() })
		sent += len(fillCoded)
	}
	record := client.record(toyData, []byte("in two worlds"))
	if _, err := client.Write(record[:9]); err != nil {
		t.Fatal(err)
	}
	partial := func() (n int) {
		on(t, w, func() {
			if s := c.spilled(); s != nil && s.partial != nil {
				p := s.partial
				n = p.len()
			}
		})
		return n
	}
	nettest.Await(t, "half a record is read", func() bool { return partial() == 9 })
	var d Detached
	on(t, w, func() {
		c.Hold("held")
		c.SetState(0xabc, 0xfff)
		c.Key, c.Rate = 7, 8
		d = c.Detach()
	})
	if len(d.Unread) != 9 || len(d.Unsent) == 0 || first.Count() != 0 {
		t.Fatalf("%d unread, %d unsent", len(d.Unread), len(d.Unsent))
	}
	adopted := make(chan *Conn, 1)
	if err := second.Adopt(d, func(_ Handler, c *Conn) {
		if c.Held() != "held" || c.State() != 0xabc || c.Key != 7 || c.Rate != 8 {
			t.Errorf("adopted: %+v", c)
		}
		adopted <- c
	}); err != nil {
		t.Fatal(err)
	}
	c = receive(t, "adopted", adopted)
	client.until(func() bool { return len(client.plain) == sent })
	if !bytes.Equal(client.plain, bytes.Repeat([]byte("0123456789"), sent/10)) {
		t.Error("what arrived is not what was sent")
	}
	if _, err := client.Write(record[9:]); err != nil {
		t.Fatal(err)
	}
	if receive(t, "a message", arrived); got.String() != "in two worlds" {
		t.Errorf("got %q", got.String())
	}
	on(t, c.Worker(), func() { c.Finish(nil) })
	client.tail()
}

// BenchmarkCodec shows what the seam costs with a codec that does nothing: the
// records' ends and the look for them.
func BenchmarkSend(b *testing.B) {
	for _, coded := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "coded"}[coded], func(b *testing.B) {
			p := open(b, Config{Workers: 1, Kernel: nowhere{Linux()}}, hooks{})
			w := p.workers[0]
			fd, _ := tcpPair(b)
			on(b, w, func() {
				d := Detached{FD: fd}
				if coded {
					d.Codec = new(bare)
				}
				err := w.Adopt(d, func(_ Handler, c *Conn) {
					message := w.buf[100:164]
					for b.Loop() {
						c.Lock()
						c.Send(w, message, c)
						c.Unlock()
					}
				})
				if err != nil {
					b.Error(err)
				}
			})
			runtime.KeepAlive(p)
		})
	}
}

// nowhere is a kernel that takes what is written without a call.
type nowhere struct{ Kernel }

func (nowhere) Write(_ int, b []byte) (int, unix.Errno) { return len(b), 0 }

type bare struct{ Coded }

func (*bare) Shape() (before, most, after int) { return 5, 16 << 10, 17 }
func (*bare) Open(_ *Worker, b []byte) ([]byte, int, Signal, error) {
	return b, len(b), 0, nil
}
func (*bare) Seal(*Worker, []byte) bool        { return false }
func (*bare) Own(_ *Worker, dst []byte) []byte { return dst }
func (*bare) End(_ *Worker, dst []byte) []byte { return dst }
