package netpoll

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roulette/netpoll/nettest"

	"golang.org/x/sys/unix"
)

func TestAccept(t *testing.T) {
	for _, tc := range []struct{ listen, host, peer string }{
		{"127.0.0.1:0", "127.0.0.1", "127.0.0.1"},
		{"[::1]:0", "::1", "::1"},
		{"[::]:0", "::1", "::1"},
		{"[::]:0", "127.0.0.1", "127.0.0.1"}, // not ::ffff:127.0.0.1
		{"0.0.0.0:0", "127.0.0.1", "127.0.0.1"},
	} {
		t.Run(tc.listen+" from "+tc.peer, func(t *testing.T) {
			if strings.HasPrefix(tc.listen, "[") {
				l, err := net.Listen("tcp", "[::1]:0")
				if err != nil {
					t.Skip("no IPv6 here")
				}
				l.Close()
			}
			peers := make(chan netip.AddrPort, 1)
			p := open(t, Config{}, hooks{
				accepted: func(_ *Worker, _ *Conn, peer netip.AddrPort) bool { peers <- peer; return true },
				read:     echo,
			})
			bound := netip.MustParseAddrPort(listenOn(t, p, tc.listen))
			c := dial(t, netip.AddrPortFrom(netip.MustParseAddr(tc.host), bound.Port()).String())
			if err := roundTrip(c, "hello"); err != nil {
				t.Fatal(err)
			}
			peer := receive(t, "accept", peers)
			local := c.LocalAddr().(*net.TCPAddr).AddrPort()
			if peer.Addr() != netip.MustParseAddr(tc.peer) || peer.Port() != local.Port() {
				t.Errorf("peer %v, want %v", peer, local)
			}
		})
	}
}

func TestInheritedOptions(t *testing.T) {
	for name, listen := range map[string]func(t *testing.T, p *Poller) (addr string){
		"own listener":        func(t *testing.T, p *Poller) string { return listenOn(t, p, "127.0.0.1:0") },
		"somebody else's one": listenOnForeign,
	} {
		t.Run(name, func(t *testing.T) { testInheritedOptions(t, listen) })
	}
}

// listenOnForeign listens on a socket as a service manager would pass it.
func listenOnForeign(t *testing.T, p *Poller) string {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false) // which knows fewer options
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	if err := raw.Control(func(orig uintptr) { fd, err = unix.Dup(int(orig)) }); err != nil || fd < 0 {
		t.Fatal(fd, err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1); err != nil { // KeepAlive=yes
		t.Fatal(err)
	}
	if err := PrepareListener(fd); err != nil {
		t.Fatal(err)
	}
	bound, err := p.ListenOn(0, fd)
	if err != nil {
		t.Fatal(err)
	}
	return bound.String()
}

func testInheritedOptions(t *testing.T, listen func(*testing.T, *Poller) string) {
	fds := make(chan int, 1)
	p := open(t, Config{}, hooks{
		accepted: func(_ *Worker, c *Conn, _ netip.AddrPort) bool { fds <- int(c.fd); return true },
	})
	dial(t, listen(t, p))
	fd := receive(t, "accept", fds)
	most := receiveBuffer
	if b, err := os.ReadFile("/proc/sys/net/core/rmem_max"); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			most = min(most, n)
		}
	}
	for _, o := range []struct {
		desc              string
		level, name, want int
	}{
		{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0}, // one clock decides, and it is not this one
		{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, userTimeout},
		{"SO_RCVBUF", unix.SOL_SOCKET, unix.SO_RCVBUF, 2 * most},
	} {
		if got, err := unix.GetsockoptInt(fd, o.level, o.name); err != nil || got != o.want {
			t.Errorf("%s is %d, want %d, %v", o.desc, got, o.want, err)
		}
	}
	for _, f := range []struct {
		desc string
		cmd  int
		want int
	}{
		{"O_NONBLOCK", unix.F_GETFL, unix.O_NONBLOCK},
		{"FD_CLOEXEC", unix.F_GETFD, unix.FD_CLOEXEC},
	} {
		if got, err := unix.FcntlInt(uintptr(fd), f.cmd, 0); err != nil || got&f.want == 0 {
			t.Errorf("%s is not set: %#x, %v", f.desc, got, err)
		}
	}
}

func TestListenErrors(t *testing.T) {
	p := open(t, Config{Workers: 2}, hooks{})
	bound := listenOn(t, p, "127.0.0.1:0")
	if _, err := p.Listen(netip.MustParseAddrPort(bound)); err == nil || !strings.HasPrefix(err.Error(), "netpoll: listen on ") {
		t.Errorf("twice on one port: %v", err)
	}
	if _, err := p.Listen(netip.MustParseAddrPort("192.0.2.1:0")); err == nil {
		t.Error("on a foreign address: no error")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Listen(netip.MustParseAddrPort("127.0.0.1:0")); err != ErrClosed {
		t.Errorf("after Close: %v", err)
	}
}

func TestRefusedByHandler(t *testing.T) {
	p := open(t, Config{Workers: 1}, hooks{
		accepted: func(*Worker, *Conn, netip.AddrPort) bool { return false },
		closed:   func(*Worker, *Conn, Cause) { t.Error("Closed of one that was not accepted") },
	})
	addr := listenOn(t, p, "127.0.0.1:0")
	for range 3 {
		if n, err := dial(t, addr).Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%d, %v", n, err)
		}
	}
	if n := p.Count(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestMaxConns(t *testing.T) {
	const limit = 10
	var refused [2]atomic.Uint64
	p := open(t, Config{Workers: 2, MaxConns: limit}, hooks{
		read:    echo,
		refused: func(_ *Worker, why Refusal) { refused[why].Add(1) },
	})
	addr := listenOn(t, p, "127.0.0.1:0")
	var conns []net.Conn
	for range limit {
		c := dial(t, addr)
		if err := roundTrip(c, "hello"); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	if n, err := dial(t, addr).Read(make([]byte, 1)); err == nil {
		t.Errorf("one too many reads %d bytes", n)
	}
	conns[0].Close()
	nettest.Await(t, "there is room", func() bool { return p.Count() < limit })
	if err := roundTrip(dial(t, addr), "hello"); err != nil {
		t.Fatal(err)
	}
	if many, none := refused[TooMany].Load(), refused[NoDescriptors].Load(); many != 1 || none != 0 {
		t.Errorf("%d refusals told, and %d for want of descriptors", many, none)
	}
}

// Connections spread over the workers, whoever accepts them, and each is served
// by the one that owns it.
func TestBalance(t *testing.T) {
	const n, workers = 400, 4
	var wrong atomic.Int32
	p := open(t, Config{Workers: workers}, hooks{
		read: func(w *Worker, c *Conn, b []byte) {
			if c.Worker() != w || w.poller.Conn(c.ID()) != c {
				wrong.Add(1)
			}
			echo(w, c, b)
		},
	})
	addr := listenOn(t, p, "127.0.0.1:0")
	for i := range n {
		if err := roundTrip(dial(t, addr), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if wrong.Load() != 0 {
		t.Errorf("%d reads on a strange worker", wrong.Load())
	}
	for i, w := range p.Workers() {
		if got := w.Count(); got < n/workers-acceptSlack || got > n/workers+acceptSlack {
			t.Errorf("worker %d has %d of %d connections", i, got, n)
		}
	}
}

// All that were in the queue are served, though one turn takes only a part.
func TestAcceptBudget(t *testing.T) {
	const n = 3*acceptBudget + 1
	p := open(t, Config{Workers: 1}, hooks{read: echo})
	busy, proceed := make(chan struct{}), make(chan struct{})
	p.workers[0].Ask(func() { close(busy); <-proceed })
	receive(t, "the worker is busy", busy)
	addr := listenOn(t, p, "127.0.0.1:0")
	var clients []net.Conn
	for range n {
		clients = append(clients, dial(t, addr))
	}
	close(proceed)
	for _, c := range clients {
		if err := roundTrip(c, "hello"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStopListening(t *testing.T) {
	p := open(t, Config{Workers: 2}, hooks{read: echo})
	first, second := listenOn(t, p, "127.0.0.1:0"), listenOn(t, p, "127.0.0.1:0")
	c := dial(t, first)
	if err := roundTrip(c, "hello"); err != nil {
		t.Fatal(err)
	}
	p.StopListening()
	p.StopListening() // of no effect
	for _, addr := range []string{first, second} {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			t.Errorf("somebody listens on %s", addr)
		}
	}
	if err := roundTrip(c, "still there"); err != nil {
		t.Error(err)
	}
	if err := roundTrip(dial(t, listenOn(t, p, first)), "and again"); err != nil {
		t.Error(err)
	}
}

// exhaustible is a kernel that can run out of descriptors. Its clock is manual.
type exhaustible struct {
	*manualKernel
	mu      sync.Mutex
	none    bool // no descriptors but the spare one's, when that was given up
	spare   bool // it was given up
	accepts int
}

func (k *exhaustible) set(none bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.none = none
}

func (k *exhaustible) Accept(fd int) (int, netip.AddrPort, unix.Errno) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.accepts++
	if k.none && !k.spare {
		return -1, netip.AddrPort{}, unix.EMFILE
	}
	return k.Kernel.Accept(fd)
}

func (k *exhaustible) Close(fd int) unix.Errno {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.spare = true // as far as this test goes
	return k.Kernel.Close(fd)
}

func (k *exhaustible) Spare() (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.spare = false
	return k.Kernel.Spare()
}

func TestOutOfDescriptors(t *testing.T) {
	k := &exhaustible{manualKernel: newManualKernel()}
	var refused [2]atomic.Uint64
	p := open(t, Config{Kernel: k, Workers: 1}, hooks{
		read:    echo,
		refused: func(_ *Worker, why Refusal) { refused[why].Add(1) },
	})
	w := p.workers[0]
	addr := listenOn(t, p, "127.0.0.1:0")
	k.set(true)
	wait := minBackoff
	for round := range 9 {
		refused := dial(t, addr)
		if _, err := refused.Read(make([]byte, 1)); err == nil {
			t.Fatal("served")
		}
		on(t, w, func() {})      // the worker is through with it
		waiting := dial(t, addr) // nobody accepts it for a while
		before := k.count()
		k.advance(t, p, wait-time.Nanosecond)
		if n := k.count(); n != before {
			t.Fatalf("round %d: accepted %d times while backing off for %v", round, n-before, wait)
		}
		k.now.Add(1)
		k.tick(t, w)
		if _, err := waiting.Read(make([]byte, 1)); err == nil {
			t.Fatal("served")
		}
		on(t, w, func() {})
		wait = min(wait*4, maxBackoff) // it was refused twice
		k.advance(t, p, maxBackoff)
	}
	var stats Stats
	on(t, w, func() { stats = *w.Stats() })
	if stats.AcceptErrors[unix.EMFILE] != 18 || stats.Accepted != 0 || refused[NoDescriptors].Load() != 18 || refused[TooMany].Load() != 0 {
		t.Errorf("counted %+v, %d and %d refused", stats, refused[NoDescriptors].Load(), refused[TooMany].Load())
	}
	k.set(false)
	last := dial(t, addr)
	k.advance(t, p, maxBackoff)
	if err := roundTrip(last, "recovered"); err != nil {
		t.Fatal(err)
	}
	on(t, w, func() {
		if len(w.refused) != 0 {
			t.Error("the backoff outlives the recovery")
		}
	})
}

func (k *exhaustible) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.accepts
}

// TestDoors: a handler is told at which listener somebody has come.
func TestDoors(t *testing.T) {
	doors := make(chan Door, 1)
	p := open(t, Config{}, hooks{door: func(_ *Worker, _ *Conn, d Door) { doors <- d }})
	for _, door := range []Door{0, 3, 1} {
		bound, err := p.ListenAt(door, netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 { // some are given to another worker
			dial(t, bound.String())
			if got := receive(t, "door", doors); got != door {
				t.Errorf("door %d, want %d", got, door)
			}
		}
	}
}
