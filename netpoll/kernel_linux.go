package netpoll

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"
	"unsafe"

	easygo "github.com/mailru/easygo/netpoll"
	"golang.org/x/sys/unix"
)

// Linux is the real [Kernel].
//
// Read, Write and Writev use raw system calls: the descriptors are
// non-blocking, so the scheduler need not be told, which saves about 50 ns a
// call.
func Linux() Kernel { return linux{start: time.Now()} }

type linux struct{ start time.Time }

func (k linux) Now() time.Duration { return time.Since(k.start) }

// listenBacklog is capped by net.core.somaxconn.
const listenBacklog = 65535

// userTimeout is TCP_USER_TIMEOUT in milliseconds: it bounds how long sent bytes may
// stay unacknowledged, or a window closed. Whoever is connected is closed sooner, by
// the stall time.
const userTimeout = int(MaxStallTimeout / time.Millisecond)

func (linux) Listen(addr netip.AddrPort) (int, error) {
	family := unix.AF_INET6
	if addr.Addr().Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := listen(fd, addr); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// receiveBuffer is what is asked for, in bytes.
const receiveBuffer = 256 << 10

// listenerOptions are what every listener has, and what accepted sockets inherit
// (tcp(7)). The kernel sends no keepalive probes of its own, even if whoever opened
// the listener wanted them: every stage of a connection has a deadline of the
// handler's, so one clock decides how often a silent peer is asked. (Probes once a
// minute would be 17,000 a second for a million idle connections, whatever the
// interval of our pings.)
//
// The receive buffer has a size of its own. What a sender is ahead of us lies there, and
// the kernel would let it grow to megabytes for each, so that in a stream of large
// messages every byte has to come from main memory: with 256 KiB it is still in a cache,
// and 200 connections with messages of 16 and 64 KiB cost a third less CPU. Half of it is too
// little for a turn of the worker. The kernel takes it twice, for its own needs, and no
// more than net.core.rmem_max.
var listenerOptions = [...]struct{ level, name, value int }{
	{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1},
	{unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer},
	{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0},
	{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
	{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, userTimeout},
}

func setListenerOptions(fd int) error {
	for _, o := range listenerOptions {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return nil
}

// PrepareListener makes a listening socket that somebody else has opened, such as
// a service manager, one for [Poller.ListenOn]: non-blocking, closed on exec, and
// with the options that accepted sockets inherit. It refuses what does not listen.
func PrepareListener(fd int) error {
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return fmt.Errorf("netpoll: descriptor %d: %w", fd, os.NewSyscallError("getsockopt", err))
	}
	if listening == 0 {
		return fmt.Errorf("netpoll: descriptor %d: a socket that does not listen", fd)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("netpoll: descriptor %d: %w", fd, os.NewSyscallError("fcntl", err))
	}
	unix.CloseOnExec(fd)
	// Multipath TCP does not know all of them, and is served all the same; a Unix
	// socket has none.
	if domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err == nil && domain == unix.AF_UNIX {
		return nil
	}
	if err := setListenerOptions(fd); err != nil && !errors.Is(err, unix.ENOPROTOOPT) {
		return fmt.Errorf("netpoll: descriptor %d: %w", fd, err)
	}
	return nil
}

func listen(fd int, addr netip.AddrPort) error {
	if err := setListenerOptions(fd); err != nil {
		return err
	}
	var sa unix.Sockaddr
	if ip := addr.Addr(); ip.Is4() {
		sa = &unix.SockaddrInet4{Port: int(addr.Port()), Addr: ip.As4()}
	} else {
		// An unspecified IPv6 address takes IPv4 as well; a given one does not.
		only := 1
		if ip.IsUnspecified() {
			only = 0
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
		sa = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: ip.As16()}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return os.NewSyscallError("bind", err)
	}
	return os.NewSyscallError("listen", unix.Listen(fd, listenBacklog))
}

func (linux) LocalAddr(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)), nil
	case *unix.SockaddrUnix:
		return netip.AddrPort{}, nil
	}
	return netip.AddrPort{}, fmt.Errorf("not an internet socket: %T", sa)
}

func (linux) Accept(fd int) (int, netip.AddrPort, unix.Errno) {
	var sa unix.RawSockaddrInet6 // also large enough for an IPv4 one
	size := uint32(unsafe.Sizeof(sa))
	conn, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd),
		uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)),
		unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, netip.AddrPort{}, errno
	}
	return int(conn), addrPort(&sa), 0
}

// addrPort converts a socket address as the kernel wrote it; an IPv4 address
// mapped into IPv6 becomes the IPv4 address it is.
func addrPort(sa *unix.RawSockaddrInet6) netip.AddrPort {
	switch sa.Family {
	case unix.AF_INET:
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), networkOrder(v4.Port))
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), networkOrder(sa.Port))
	}
	return netip.AddrPort{}
}

func networkOrder(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

// Read is recv(2), which is cheaper than read(2).
func (linux) Read(fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// Write is send(2) with MSG_NOSIGNAL: a vanished peer is EPIPE, not SIGPIPE.
func (linux) Write(fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// Writev is sendmsg(2) with MSG_NOSIGNAL.
func (linux) Writev(fd int, a, b []byte) (int, unix.Errno) {
	v := [2]unix.Iovec{{Base: unsafe.SliceData(a)}, {Base: unsafe.SliceData(b)}}
	v[0].SetLen(len(a))
	v[1].SetLen(len(b))
	m := unix.Msghdr{Iov: &v[0]}
	m.SetIovlen(len(v))
	n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&m)), unix.MSG_NOSIGNAL)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func (linux) CloseWrite(fd int) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
	return errno
}

// Close is close(2). It is never tried again: on Linux the descriptor is gone
// whatever the answer, EINTR included.
func (linux) Close(fd int) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	return errno
}

func (linux) Spare() (int, error) {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	return fd, os.NewSyscallError("open", err)
}

func (linux) Epoll(onError func(error)) (Epoll, error) {
	ep, err := easygo.EpollCreate(&easygo.EpollConfig{OnWaitError: onError})
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return ep, nil
}

func (linux) Timer() (int, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	return fd, os.NewSyscallError("timerfd_create", err)
}

func (linux) SetTimer(fd int, first, interval time.Duration) error {
	spec := unix.ItimerSpec{
		Value:    unix.NsecToTimespec(first.Nanoseconds()),
		Interval: unix.NsecToTimespec(interval.Nanoseconds()),
	}
	return os.NewSyscallError("timerfd_settime", unix.TimerfdSettime(fd, 0, &spec, nil))
}

func (linux) Event() (int, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	return fd, os.NewSyscallError("eventfd", err)
}

func (linux) Drain(fd int) (count uint64) {
	unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&count)), unsafe.Sizeof(count))
	return count
}

func (linux) Signal(fd int) {
	one := [8]byte{}
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
}
