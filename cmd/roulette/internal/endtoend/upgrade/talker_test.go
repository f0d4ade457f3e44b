package upgrade

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// talkers are the crowd from inside.
type talkers struct {
	crowding
	all []*talker

	read    chan struct{} // closed: those who have read nothing read
	end     chan struct{} // closed: each says their last
	through sync.WaitGroup

	// Atomic.
	heard   atomic.Int64
	longest atomic.Int64 // nanoseconds

	// Guarded by mu.
	mu    sync.Mutex
	wrong []string
}

// mostWrong bounds what a tally says: more of it says nothing more.
const mostWrong = 8

// beCrowd does what it is told on in, and says what it has seen on out.
func beCrowd(in io.Reader, out io.Writer) (code int) {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(unix.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit.Cur, Max: limit.Max})
	}
	lines := bufio.NewReader(in)
	c := &talkers{read: make(chan struct{}), end: make(chan struct{})}
	first, err := lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(first, &c.crowding)
	}
	if err == nil {
		err = c.gather()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	answers := json.NewEncoder(out)
	for {
		if err := answers.Encode(c.tally()); err != nil {
			return 1
		}
		told, err := lines.ReadString('\n')
		switch {
		case err != nil:
			return 0
		case strings.TrimSpace(told) == letRead:
			close(c.read)
		case strings.TrimSpace(told) == letEnd:
			close(c.end)
			c.through.Wait()
		}
	}
}

func (c *talkers) tally() tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	return tally{Heard: c.heard.Load(), Longest: time.Duration(c.longest.Swap(0)), Wrong: c.wrong}
}

func (c *talkers) complain(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.wrong) < mostWrong {
		c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
	}
}

// gather connects all, and returns when each has found a partner.
func (c *talkers) gather() error {
	for i := range c.Clients {
		c.all = append(c.all, &talker{crowd: c, id: i, met: make(chan struct{})})
	}
	if c.Apart {
		for i := 0; i < c.Clients; i += 2 {
			if err := cmp.Or(c.all[i].connect(), c.all[i+1].connect(), c.all[i].meets(), c.all[i+1].meets()); err != nil {
				return err
			}
		}
		return nil
	}
	return c.gatherAtOnce()
}

func (c *talkers) gatherAtOnce() error {
	const atOnce = 64
	next := make(chan *talker)
	failed := make(chan error, atOnce)
	for range atOnce {
		go func() {
			var err error
			for k := range next {
				err = cmp.Or(err, k.connect())
			}
			failed <- err
		}()
	}
	for _, k := range c.all {
		next <- k
	}
	close(next)
	var err error
	for range atOnce {
		err = cmp.Or(err, <-failed)
	}
	if err != nil {
		return err
	}
	for _, k := range c.all {
		if err := k.meets(); err != nil {
			return err
		}
	}
	return nil
}

// talker is one client.
type talker struct {
	crowd *talkers
	id    int
	conn  net.Conn
	r     *bufio.Reader
	met   chan struct{} // closed when the partner is known

	// Atomic.
	stamps [64]atomic.Int64       // when the last messages were sent, by their numbers
	pong   atomic.Pointer[[]byte] // to be sent between two frames

	// The reader's until met is closed.
	partner *talker
	heard   uint32 // messages of the partner's, lost ones included
}

// meets waits until the client has a partner.
func (k *talker) meets() error {
	select {
	case <-k.met:
		return nil
	case <-time.After(servertest.Patience):
		return fmt.Errorf("client %d has found nobody", k.id)
	}
}

// isSlow tells whether the client reads so slowly that all stands behind it.
func (k *talker) isSlow() bool { return k.id < k.crowd.Slow }

func (k *talker) speaksTLS() bool { return k.id%2 == 1 }

// connect opens a connection, finds a place in the pool, and begins to talk.
func (k *talker) connect() error {
	dialer := net.Dialer{Timeout: servertest.Patience}
	if k.isSlow() { // less waits for it in the kernel, and all the more in the server
		dialer.Control = func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10) })
		}
	}
	addr := k.crowd.Plain
	if k.speaksTLS() {
		addr = k.crowd.Secure
	}
	var err error
	if k.conn, err = dialer.DialContext(context.Background(), "tcp", addr); err != nil {
		return err
	}
	if k.speaksTLS() {
		k.conn = tls.Client(k.conn, &tls.Config{InsecureSkipVerify: true})
	}
	k.r = bufio.NewReaderSize(k.conn, 1<<10)
	_ = k.conn.SetDeadline(time.Now().Add(servertest.Patience))
	if _, err = io.WriteString(k.conn, servertest.Request(addr, "/ws")); err != nil {
		return err
	}
	for line := ""; line != "\r\n"; {
		if line, err = k.r.ReadString('\n'); err != nil {
			return fmt.Errorf("client %d: %w", k.id, err)
		}
	}
	_ = k.conn.SetDeadline(time.Time{})
	k.crowd.through.Add(2)
	go k.listen()
	go k.talk()
	return nil
}

// message is the text of a message: who says it, the how manieth it is, whether it is
// the last, and something of some length that these and nothing else make.
func (k *talker) message(number uint32, last, long bool) []byte {
	b := fmt.Appendf(nil, "%d %d %t ", k.id, number, last)
	h := crc32.ChecksumIEEE(b)
	n := int(h % 120)
	if long || h%50 == 0 {
		n = 3000
	}
	for len(b) < n {
		b = fmt.Appendf(b, "%08x", h+uint32(len(b)))
	}
	return b
}

// frames is a message in two or three fragments.
func frames(message []byte) (b []byte) {
	first := rand.IntN(len(message))
	b = servertest.Encode(servertest.OpText, message[:first])
	if message = message[first:]; rand.IntN(2) == 0 {
		second := rand.IntN(len(message))
		b = append(b, servertest.Encode(0, message[:second])...)
		message = message[second:]
	}
	return append(b, servertest.Encode(servertest.Fin, message)...)
}

// talk says one message after the other, each in two writes with some time between:
// whenever the server stops, half of the clients are in the middle of a message.
func (k *talker) talk() {
	defer k.crowd.through.Done()
	if !k.greet() {
		return
	}
	long := k.partner.isSlow()
	for number := uint32(1); ; number++ {
		b, last := frames(k.message(number, false, long)), !k.pause()
		if last {
			b = program.Text(string(k.message(number, true, long)))
		}
		if pong := k.pong.Swap(nil); pong != nil && !k.write(*pong) {
			return
		}
		cut := rand.IntN(len(b))
		if !k.write(b[:cut]) {
			return
		}
		if !last {
			k.pause()
		}
		k.stamps[number%uint32(len(k.stamps))].Store(now())
		if !k.write(b[cut:]) || last {
			return
		}
	}
}

// greet says message 0 until the partner has answered, if that one is served apart: until
// they are paired it is for nobody. Else once is enough.
func (k *talker) greet() bool {
	for {
		if !k.write(program.Text(string(k.message(0, false, false)))) {
			return false
		}
		var again <-chan time.Time
		if k.crowd.Apart && k.speaksTLS() {
			again = time.After(k.crowd.Every)
		}
		select {
		case <-k.met:
			return true
		case <-k.crowd.end:
			return false
		case <-again:
		}
	}
}

// pause waits between two writes, but not for a partner who is slow: all there is
// room for is to wait for them. False: it is the end.
func (k *talker) pause() bool {
	wait := k.crowd.Every/4 + rand.N(k.crowd.Every/2)
	if k.partner.isSlow() {
		select {
		case <-k.crowd.read:
		default:
			wait = 0
		}
	}
	select {
	case <-k.crowd.end:
		return false
	case <-time.After(wait):
		return true
	}
}

func (k *talker) write(b []byte) bool {
	if _, err := k.conn.Write(b); err != nil {
		k.crowd.complain("client %d (TLS: %t) cannot write: %v", k.id, k.speaksTLS(), err)
		return false
	}
	return true
}

// listen takes all that arrives, and complains of everything but the partner's
// messages, each once and in order.
func (k *talker) listen() {
	defer k.crowd.through.Done()
	for {
		op, payload, err := k.frame()
		switch {
		case err != nil:
			k.crowd.complain("client %d (TLS: %t) behind message %d: %v", k.id, k.speaksTLS(), k.heard, err)
			return
		case op == servertest.OpPing:
			pong := servertest.Encode(servertest.Fin|servertest.OpPong, payload)
			k.pong.Store(&pong)
			continue
		case op == servertest.OpText && string(payload) == program.Sorry && k.partner == nil:
			continue
		case op != servertest.OpText:
			k.crowd.complain("client %d behind message %d: opcode %d, %.80q", k.id, k.heard, op, payload)
			return
		}
		if last, err := k.hear(payload); err != nil {
			k.crowd.complain("client %d (TLS: %t): %v", k.id, k.speaksTLS(), err)
			return
		} else if last {
			return
		}
		if k.isSlow() {
			select {
			case <-k.crowd.read:
			case <-time.After(slowness):
			}
		}
	}
}

// hear takes a message.
func (k *talker) hear(payload []byte) (last bool, err error) {
	var id int
	var number uint32
	if _, err := fmt.Sscanf(string(payload[:min(len(payload), 40)]), "%d %d %t ", &id, &number, &last); err != nil || id < 0 || id >= k.crowd.Clients {
		return false, fmt.Errorf("heard %.80q behind message %d", payload, k.heard)
	}
	switch {
	case k.partner == nil && number <= 1: // message 0 of who came first was for nobody
		k.partner, k.heard = k.crowd.all[id], number
		close(k.met)
	case k.crowd.Apart && number == 0 && id == k.partner.id && k.heard == 1: // see greet
		return false, nil
	case id != k.partner.id || number != k.heard:
		return false, fmt.Errorf("message %d of %d was due, and %.80q came", k.heard, k.partner.id, payload)
	}
	if want := k.partner.message(number, last, number > 0 && k.isSlow()); string(want) != string(payload) {
		return false, fmt.Errorf("message %d of %d altered: %.80q, want %.80q", number, id, payload, want)
	}
	k.heard++
	k.crowd.heard.Add(1)
	if sent := k.partner.stamps[number%uint32(len(k.stamps))].Load(); sent > 0 && !k.isSlow() && !k.partner.isSlow() {
		took := now() - sent
		for {
			longest := k.crowd.longest.Load()
			if took <= longest || k.crowd.longest.CompareAndSwap(longest, took) {
				break
			}
		}
	}
	return last, nil
}

// frame reads a frame of the server's.
func (k *talker) frame() (op byte, payload []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(k.r, head[:2]); err != nil {
		return 0, nil, err
	}
	n := int(head[1])
	switch {
	case head[0]&0xf0 != servertest.Fin || n > 126:
		return 0, nil, fmt.Errorf("a frame that begins with %#x", head[:2])
	case n == 126:
		if _, err := io.ReadFull(k.r, head[2:]); err != nil {
			return 0, nil, err
		}
		n = int(binary.BigEndian.Uint16(head[2:]))
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(k.r, payload)
	return head[0] & 0xf, payload, err
}

// slowness is the time between two messages of who is slow.
const slowness = 500 * time.Millisecond

var begun = time.Now()

// now is never 0.
func now() int64 { return int64(time.Since(begun)) + 1 }
