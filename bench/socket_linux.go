package bench

import (
	"net/netip"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of the loops. Those on non-blocking descriptors never block and go
// past the scheduler (RawSyscall): at hundreds of thousands of calls a second,
// telling it each time costs more than it is worth.

const (
	again      = syscall.EAGAIN
	interrupt  = syscall.EINTR
	inProgress = syscall.EINPROGRESS
)

func read(fd int32, p []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}

func write(fd int32, p []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}

// closeSocket closes fd, with a reset instead of an orderly end if abrupt.
func closeSocket(fd int32, abrupt bool) {
	if abrupt {
		// Best effort: without it the close is merely an orderly one.
		_ = unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0)
}

// dial begins to connect, from an address and with a buffer size if they are given.
// done reports that it has already happened, as it mostly has on the loopback.
func dial(to netip.AddrPort, from netip.Addr, buffer int) (fd int32, done bool, err error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	s, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, false, err
	}
	if err := unix.SetsockoptInt(s, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		unix.Close(s)
		return -1, false, err
	}
	if buffer > 0 {
		// Best effort: the kernel may grant less.
		_ = unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_SNDBUF, buffer)
		_ = unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
	}
	if from.IsValid() {
		// The port is chosen by connect, which may share it among destinations.
		err = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err == nil {
			err = unix.Bind(s, sockaddr(netip.AddrPortFrom(from, 0)))
		}
		if err != nil {
			unix.Close(s)
			return -1, false, err
		}
	}
	switch err := unix.Connect(s, sockaddr(to)); err {
	case nil:
		return int32(s), true, nil
	case unix.EINPROGRESS:
		return int32(s), false, nil
	default:
		unix.Close(s)
		return -1, false, err
	}
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

func socketError(fd int32) syscall.Errno {
	v, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return syscall.EBADF
	}
	return syscall.Errno(v)
}

// epollControl registers fd for events under a slot and its generation.
func epollControl(ep int, op int, fd int32, events uint32, slot, generation int32) error {
	return unix.EpollCtl(ep, op, int(fd), &unix.EpollEvent{Events: events, Fd: slot, Pad: generation})
}

// epollWait returns what is ready now or, failing that, what becomes ready within
// the timeout.
func epollWait(ep int, events []unix.EpollEvent, timeout time.Duration) int {
	p := uintptr(unsafe.Pointer(unsafe.SliceData(events)))
	n, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(ep), p, uintptr(len(events)), 0, 0, 0)
	if e != 0 {
		n = 0
	}
	if n > 0 || timeout <= 0 {
		return int(n)
	}
	ts := unix.NsecToTimespec(int64(timeout))
	n, _, e = syscall.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(ep), p, uintptr(len(events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	if e == syscall.ENOSYS { // before Linux 5.11: whole milliseconds
		n, _, e = syscall.Syscall6(syscall.SYS_EPOLL_PWAIT, uintptr(ep), p, uintptr(len(events)), uintptr(timeout/time.Millisecond), 0, 0)
	}
	if e != 0 {
		return 0
	}
	return int(n)
}

// takeThread locks the calling goroutine to its thread for good, on the given CPUs
// if any, with timers as exact as the kernel makes them.
func takeThread(cpus []int) error {
	runtime.LockOSThread()
	// Best effort: the default slack is 50 µs.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	if len(cpus) == 0 {
		return nil
	}
	var set unix.CPUSet
	for _, c := range cpus {
		set.Set(c)
	}
	return unix.SchedSetaffinity(0, &set)
}

// threadCPU is the processor time of the calling thread.
func threadCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
