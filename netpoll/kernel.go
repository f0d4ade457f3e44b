package netpoll

import (
	"net/netip"
	"sync"
	"time"

	easygo "github.com/mailru/easygo/netpoll"
	"golang.org/x/sys/unix"

	_ "roulette/netpoll/onlylinux"
)

// Kernel is the seam at the system calls: everything this package asks of the
// operating system, the clock included, and nothing more. Production uses
// [Linux]; a simulator may put its own world behind it. An error is the bare
// errno, 0 for none, so that no interface value is made on the byte path.
type Kernel interface {
	// Listen opens, binds and listens on a non-blocking TCP socket whose
	// accepted connections inherit TCP_NODELAY and TCP_USER_TIMEOUT (tcp(7)).
	Listen(addr netip.AddrPort) (fd int, err error)
	// LocalAddr is getsockname(2); of a Unix socket it is the zero value, as is the
	// peer of what Accept returns of one.
	LocalAddr(fd int) (netip.AddrPort, error)
	// Accept is accept4(2) with SOCK_NONBLOCK|SOCK_CLOEXEC.
	Accept(fd int) (conn int, peer netip.AddrPort, errno unix.Errno)
	// Read and Write are for sockets. Write never raises SIGPIPE.
	Read(fd int, b []byte) (n int, errno unix.Errno)
	Write(fd int, b []byte) (n int, errno unix.Errno)
	// Writev writes a, then b, as one call, likewise.
	Writev(fd int, a, b []byte) (n int, errno unix.Errno)
	// CloseWrite is shutdown(2) with SHUT_WR.
	CloseWrite(fd int) unix.Errno
	Close(fd int) unix.Errno
	// Spare opens a descriptor that is good for nothing but to be closed when
	// there are no others left.
	Spare() (fd int, err error)

	// Epoll starts an epoll instance and the goroutine that waits in it.
	Epoll(onError func(error)) (Epoll, error)
	// Timer is a timerfd(2) on the monotonic clock; SetTimer arms it.
	Timer() (fd int, err error)
	SetTimer(fd int, first, interval time.Duration) error
	// Event is an eventfd(2); Signal adds one to it.
	Event() (fd int, err error)
	Signal(fd int)
	// Drain takes from an eventfd or a timerfd what it has counted, and returns it.
	Drain(fd int) uint64

	// Now is a monotonic clock.
	Now() time.Duration
}

// Epoll is what this package uses of easygo's Epoll. Its callbacks run on the
// one goroutine that waits. Add leaves the callback behind when it fails: call
// Del. Mod may be called from any goroutine.
type Epoll interface {
	Add(fd int, events easygo.EpollEvent, callback func(easygo.EpollEvent)) error
	Mod(fd int, events easygo.EpollEvent) error
	Del(fd int) error
	Close() error
}

// Scheduler is what a [Kernel] may be besides that lets the workers take turns in
// an order of its own, one at a time, and so reproduces what happens when they
// overtake each other.
type Scheduler interface {
	// BeforeLock is called by whoever is about to take a write lock, and holds no
	// other one. It returns when mu is free.
	BeforeLock(mu *sync.Mutex)
}

// Sets of epoll events (epoll_ctl(2)).
const (
	connEvents     = easygo.EPOLLIN | easygo.EPOLLOUT | easygo.EPOLLRDHUP | easygo.EPOLLET
	inputEvents    = easygo.EPOLLIN | easygo.EPOLLRDHUP | easygo.EPOLLHUP | easygo.EPOLLERR
	hangUpEvents   = easygo.EPOLLRDHUP | easygo.EPOLLHUP | easygo.EPOLLERR
	listenerEvents = easygo.EPOLLIN | easygo.EpollEvent(unix.EPOLLEXCLUSIVE)
)
