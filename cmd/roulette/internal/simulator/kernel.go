package simulator

import (
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"roulette/netpoll"
)

// kernel is the simulated [netpoll.Kernel] and [netpoll.Scheduler]: descriptors,
// the clock, and whose turn it is.
type kernel struct {
	*world // it belongs to

	files      []file
	free       int // no number below is free
	open       int
	listener   *listener
	epolls     []*epoll
	workers    []*worker
	porter     *worker   // brings what comes from the bus; nil: the server is alone
	retired    int       // so many of them are of a server that has given up its connections
	running    *worker   // nil: the simulator itself
	owed       []*socket // get an event at the next wait, whether there is room or not
	backlogged []*socket // have refused bytes of a write
	timers     []int     // descriptors
	freezing   bool      // a worker stops behind each event
	inline     bool      // what is asked of a worker from outside is done at once
	acceptBad  int       // accepts that failed, as descriptors or memory had run out
	spares     int       // open ones

	acceptBadAt time.Duration // the last of them
}

// firstNumber is that of the first descriptor: far above the real ones, so that
// a system call that bypasses the seam hits nothing.
const firstNumber = 1 << 20

type fileKind uint8

const (
	closedFile fileKind = iota
	listenerFile
	socketFile
	timerFile
	eventFile
	epollFile
	spareFile
)

var fileKinds = [...]string{"closed descriptor", "listener", "socket", "timer", "event", "epoll", "spare"}

func (k fileKind) String() string { return fileKinds[k] }

// file is an open descriptor.
type file struct {
	kind   fileKind
	items  []*item // registrations
	socket *socket
	count  uint64 // of a timer or an event
	timer  struct{ next, interval time.Duration }
}

// listener has the connections that nobody has accepted yet.
type listener struct {
	fd    int
	queue []*socket
}

// openFile takes the lowest free number, as open(2) does.
func (k *kernel) openFile(kind fileKind) (int, unix.Errno) {
	for i := k.free; ; i++ {
		if i >= k.plan.descriptors {
			return -1, unix.EMFILE
		}
		if i == len(k.files) {
			k.files = append(k.files, file{})
		}
		if f := &k.files[i]; f.kind == closedFile {
			*f = file{kind: kind, items: f.items[:0]}
			k.free = i + 1
			k.open++
			return firstNumber + i, 0
		}
	}
}

// file returns an open descriptor of this kind; anything else is a violation.
func (k *kernel) file(fd int, kind fileKind, call string) *file {
	i := fd - firstNumber
	if i < 0 || i >= len(k.files) {
		k.failf("%s of descriptor %d, which was never open", call, fd)
	}
	f := &k.files[i]
	if f.kind != kind {
		k.failf("%s of descriptor %d: %v instead of %v (I1, I2)", call, fd, f.kind, kind)
	}
	return f
}

func (k *kernel) closeFile(fd int) {
	i := fd - firstNumber
	k.files[i].kind = closedFile
	k.files[i].socket = nil
	k.free = min(k.free, i)
	k.open--
}

func (k *kernel) Now() time.Duration { return k.now }

func (k *kernel) Listen(netip.AddrPort) (int, error) {
	fd, errno := k.openFile(listenerFile)
	if errno != 0 {
		return -1, errno
	}
	var queue []*socket
	if k.listener != nil { // of a server that this one takes over from
		queue = k.listener.queue
	}
	k.listener = &listener{fd: fd, queue: queue}
	return fd, nil
}

func (k *kernel) LocalAddr(int) (netip.AddrPort, error) {
	return netip.MustParseAddrPort("192.0.2.1:80"), nil
}

var errNoSpare = errors.New("no descriptor")

func (k *kernel) Spare() (int, error) {
	if k.running != nil && k.faulty(k.plan.accept) {
		k.acceptFails()
		return -1, errNoSpare
	}
	fd, errno := k.openFile(spareFile)
	if errno != 0 {
		k.acceptFails()
		return -1, errno
	}
	k.spares++
	return fd, nil
}

func (k *kernel) Timer() (int, error) {
	fd, errno := k.openFile(timerFile)
	if errno != 0 {
		return -1, errno
	}
	k.timers = append(k.timers, fd)
	return fd, nil
}

func (k *kernel) SetTimer(fd int, first, interval time.Duration) error {
	f := k.file(fd, timerFile, "timerfd_settime")
	f.timer.next, f.timer.interval = k.now+first, interval
	return nil
}

// advance moves the clock, which is that of all nodes.
func (k *kernel) advance(d time.Duration) {
	if k.fleet == nil {
		k.pass(d)
		return
	}
	for _, w := range k.fleet.nodes {
		w.pass(d)
	}
}

func (k *kernel) pass(d time.Duration) {
	k.now += d
	for _, fd := range k.timers {
		f := &k.files[fd-firstNumber]
		if f.kind != timerFile || f.timer.interval <= 0 || f.timer.next > k.now {
			continue
		}
		passed := (k.now-f.timer.next)/f.timer.interval + 1
		f.timer.next += passed * f.timer.interval
		f.count += uint64(passed)
		f.wake()
	}
}

func (k *kernel) Event() (int, error) {
	fd, errno := k.openFile(eventFile)
	if errno != 0 {
		return -1, errno
	}
	return fd, nil
}

func (k *kernel) Signal(fd int) {
	f := k.file(fd, eventFile, "write")
	f.count++
	f.wake()
	if k.running == nil && k.inline {
		k.drive(func() bool { return f.count == 0 && !k.anyBusy() })
	}
	if k.fleet == nil { // else it may be under the lock of the mesh
		k.maybeYield()
	}
}

func (k *kernel) Drain(fd int) (count uint64) {
	i := fd - firstNumber
	if i < 0 || i >= len(k.files) || k.files[i].kind != timerFile && k.files[i].kind != eventFile {
		k.failf("read of descriptor %d, which is neither timer nor event", fd)
	}
	count, k.files[i].count = k.files[i].count, 0
	return count
}

func (k *kernel) Close(fd int) unix.Errno {
	i := fd - firstNumber
	if i < 0 || i >= len(k.files) || k.files[i].kind == closedFile {
		k.failf("close of descriptor %d, which is not open (I1)", fd)
	}
	f := &k.files[i]
	if len(f.items) > 0 {
		k.failf("close of descriptor %d before Del (I1)", fd)
	}
	owned := false // else it may be closed under a lock that is not a write lock
	switch f.kind {
	case socketFile:
		owned = f.socket.owner != nil
		k.closeSocket(f.socket)
	case spareFile:
		k.spares--
	case listenerFile:
		if k.listener.fd == fd {
			k.listener = nil
		}
	}
	k.closeFile(fd)
	if owned {
		k.maybeYield()
	}
	return 0
}

// Accept fails, or takes the first connection of the queue.
func (k *kernel) Accept(fd int) (int, netip.AddrPort, unix.Errno) {
	k.file(fd, listenerFile, "accept4")
	l := k.listener
	if l.fd != fd { // it has nobody any more
		return -1, netip.AddrPort{}, unix.EAGAIN
	}
	if k.faulty(k.plan.accept) {
		switch errno := pick(&k.rnd, unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.EINTR, unix.EPERM, unix.ECONNABORTED); errno {
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			k.acceptFails()
			return -1, netip.AddrPort{}, errno
		case unix.ECONNABORTED:
			if len(l.queue) > 0 {
				s := l.queue[0]
				l.queue = l.queue[1:]
				s.client.lost()
				return -1, netip.AddrPort{}, errno
			}
		default:
			return -1, netip.AddrPort{}, errno
		}
	}
	if len(l.queue) == 0 {
		return -1, netip.AddrPort{}, unix.EAGAIN
	}
	conn, errno := k.openFile(socketFile)
	if errno != 0 {
		k.acceptFails()
		return -1, netip.AddrPort{}, errno
	}
	s := l.queue[0]
	l.queue = l.queue[1:]
	k.files[conn-firstNumber].socket = s
	s.fd, s.acceptedAt = conn, k.now
	k.tracef("client %d is accepted as descriptor %d", s.client.serial, conn-firstNumber)
	return conn, s.client.address, 0
}

// acceptFails notes that descriptors or memory have run out.
func (k *kernel) acceptFails() {
	k.acceptBad++
	k.acceptBadAt = k.now
}

func (k *kernel) Epoll(func(error)) (netpoll.Epoll, error) {
	fd, errno := k.openFile(epollFile)
	if errno != 0 {
		return nil, errno
	}
	ep := &epoll{kernel: k, fd: fd}
	k.epolls = append(k.epolls, ep)
	k.workers = append(k.workers, newWorker(k, ep))
	return ep, nil
}

// faulty draws whether a fault of that frequency happens now.
func (k *kernel) faulty(oneIn int) bool { return !k.calm && k.rnd.oneIn(oneIn) }
