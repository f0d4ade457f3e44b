package netpoll

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"roulette/netpoll/nettest"

	easygo "github.com/mailru/easygo/netpoll"
	"golang.org/x/sys/unix"
)

// brokenKernel is Linux whose second epoll takes no listener, and where accepting
// lasts until a test lets go.
type brokenKernel struct {
	Kernel
	epolls    int
	accepting chan struct{} // somebody accepts
	goOn      chan struct{}

	inAccept      atomic.Int32
	closedInUse   atomic.Bool // a listener was closed while somebody accepted from it
	listenerCount atomic.Int32
	listener      atomic.Int32
}

func (k *brokenKernel) Listen(addr netip.AddrPort) (int, error) {
	fd, err := k.Kernel.Listen(addr)
	k.listener.Store(int32(fd))
	k.listenerCount.Add(1)
	return fd, err
}

func (k *brokenKernel) Accept(fd int) (int, netip.AddrPort, unix.Errno) {
	k.inAccept.Add(1)
	defer k.inAccept.Add(-1)
	select {
	case k.accepting <- struct{}{}:
	default:
	}
	<-k.goOn
	return k.Kernel.Accept(fd)
}

func (k *brokenKernel) Close(fd int) unix.Errno {
	if fd == int(k.listener.Load()) {
		k.listenerCount.Add(-1)
		if k.inAccept.Load() > 0 {
			k.closedInUse.Store(true)
		}
	}
	return k.Kernel.Close(fd)
}

func (k *brokenKernel) Epoll(onError func(error)) (Epoll, error) {
	e, err := k.Kernel.Epoll(onError)
	k.epolls++
	if k.epolls == 2 {
		return &brokenEpoll{e, k}, err
	}
	return e, err
}

type brokenEpoll struct {
	Epoll
	kernel *brokenKernel
}

var errBroken = errors.New("this epoll takes no listener")

// Add refuses a listener, as soon as another worker accepts from it.
func (e *brokenEpoll) Add(fd int, events easygo.EpollEvent, callback func(easygo.EpollEvent)) error {
	if fd != int(e.kernel.listener.Load()) {
		return e.Epoll.Add(fd, events, callback)
	}
	addr, err := e.kernel.LocalAddr(fd)
	if err != nil {
		return err
	}
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		return err
	}
	defer c.Close()
	<-e.kernel.accepting
	close(e.kernel.goOn)
	return errBroken
}

// I1: a listener that not all workers could take is closed when those who could
// have let go of it.
func TestListenFails(t *testing.T) {
	k := &brokenKernel{Kernel: Linux(), accepting: make(chan struct{}, 1), goOn: make(chan struct{})}
	p := open(t, Config{Workers: 2, Kernel: k}, hooks{})
	if _, err := p.Listen(netip.MustParseAddrPort("127.0.0.1:0")); !errors.Is(err, errBroken) {
		t.Fatalf("Listen: %v", err)
	}
	if n := k.listenerCount.Load(); n != 0 {
		t.Errorf("the listener is open %d times", n)
	}
	if k.closedInUse.Load() {
		t.Error("the listener was closed while a worker accepted from it")
	}
	nettest.Await(t, "the one that was accepted to be gone", func() bool { return p.Count() == 0 })
}

// Who waits in the kernel's queue when listening stops is accepted, not reset.
func TestStopListeningAcceptsTheQueue(t *testing.T) {
	accepted := make(chan struct{}, 3*acceptBudget)
	p := open(t, Config{Workers: 1}, hooks{
		accepted: func(*Worker, *Conn, netip.AddrPort) bool { accepted <- struct{}{}; return true },
		read:     echo,
	})
	addr := listenOn(t, p, "127.0.0.1:0")
	busy, goOn := make(chan struct{}), make(chan struct{})
	if err := p.workers[0].Ask(func() { close(busy); <-goOn }); err != nil {
		t.Fatal(err)
	}
	<-busy
	var queue []net.Conn
	for range cap(accepted) {
		queue = append(queue, dial(t, addr))
	}
	stopped := make(chan struct{})
	go func() { p.StopListening(); close(stopped) }()
	close(goOn)
	receive(t, "StopListening", stopped)
	if len(accepted) != len(queue) {
		t.Errorf("%d of %d in the queue accepted", len(accepted), len(queue))
	}
	for i, c := range queue {
		if err := roundTrip(c, "hello"); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
}

func TestPrepareListener(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, tc := range []struct {
		desc string
		fd   int
		says string
	}{
		{"a socket that is connected", fds[0], "does not listen"},
		{"a file", int(file.Fd()), "non-socket"},
		{"nothing", 1 << 20, "bad file descriptor"},
	} {
		if err := PrepareListener(tc.fd); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", tc.desc, err)
		}
	}
}
