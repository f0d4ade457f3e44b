package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is one end of the conversation: a Unix socket of type SOCK_SEQPACKET.
type Conn struct {
	file    *os.File
	buf     []byte
	oob     []byte
	user    int // who may be at the other end; -1: anybody
	aborted atomic.Bool
	passing sync.Mutex // one latecomer after the other
}

// Pair returns the two ends of a new conversation. The second one, a plain file, is
// for the process that is to be started, which must be this one's user: the kernel
// says of each word who has sent it (unix(7), SO_PASSCRED).
func Pair() (*Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("handover: socketpair: %w", err)
	}
	c, theirs := NewConn(fds[0]), os.NewFile(uintptr(fds[1]), "handover")
	if err := unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("handover: setsockopt: %w", err), c.Close(), theirs.Close())
	}
	c.user = os.Geteuid()
	return c, theirs, nil
}

// NewConn makes a Conn of the descriptor of one end, which it owns from here on.
func NewConn(fd int) *Conn {
	_ = unix.SetNonblock(fd, true)
	return &Conn{
		file: os.NewFile(uintptr(fd), "handover"),
		buf:  make([]byte, maxWord),
		oob:  make([]byte, unix.CmsgSpace(4*maxDescriptors)+unix.CmsgSpace(unix.SizeofUcred)),
		user: -1,
	}
}

// Close ends the conversation.
func (c *Conn) Close() error { return c.file.Close() }

// Abort ends what waits, and what will. Any goroutine.
func (c *Conn) Abort() {
	c.aborted.Store(true)
	_ = c.file.SetDeadline(time.Unix(1, 0))
}

// deadline bounds what follows by ctx and by most, if that is not 0.
func (c *Conn) deadline(ctx context.Context, most time.Duration) error {
	at, ok := ctx.Deadline()
	if limit := time.Now().Add(most); most > 0 && (!ok || limit.Before(at)) {
		at, ok = limit, true
	}
	if !ok {
		at = time.Time{}
	}
	err := c.file.SetDeadline(at)
	if c.aborted.Load() { // before the deadline was set, or it is set again
		return c.file.SetDeadline(time.Unix(1, 0))
	}
	return err
}

// refuse says why it is off, if the other side is there to hear it. The time for
// something else may be over.
func (c *Conn) refuse(why error) {
	if c.deadline(context.Background(), time.Second) == nil {
		_ = c.say(&word{Type: refused, Why: why.Error()})
	}
}

// say sends a word, with descriptors beside it, which stay the caller's.
func (c *Conn) say(w *word, fds ...int) error {
	b, err := w.encode()
	if err != nil {
		return err
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	raw, err := c.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Write(func(fd uintptr) bool {
		failed = unix.Sendmsg(int(fd), b, rights, nil, unix.MSG_NOSIGNAL)
		return !errors.Is(failed, unix.EAGAIN)
	}); err != nil {
		return timedOut(err)
	}
	if errors.Is(failed, unix.EPIPE) || errors.Is(failed, unix.ECONNRESET) {
		return errEnded
	}
	return failed
}

// hear waits for a word and its descriptors, which are the caller's, close-on-exec.
func (c *Conn) hear() (*word, []int, error) {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	var n, oobn, flags int
	var failed error
	if err := raw.Read(func(fd uintptr) bool {
		n, oobn, flags, _, failed = unix.Recvmsg(int(fd), c.buf, c.oob, unix.MSG_CMSG_CLOEXEC)
		return !errors.Is(failed, unix.EAGAIN)
	}); err != nil {
		return nil, nil, timedOut(err)
	}
	switch {
	case errors.Is(failed, unix.ECONNRESET):
		return nil, nil, errEnded
	case failed != nil:
		return nil, nil, failed
	}
	fds, user, err := beside(c.oob[:oobn])
	switch {
	case err != nil:
	case c.user >= 0 && n > 0 && user != c.user:
		err = fmt.Errorf("the successor is another user, %d", user)
	case flags&unix.MSG_CTRUNC != 0:
		err = errors.New("no room for the descriptors that came")
	case flags&unix.MSG_TRUNC != 0:
		err = errors.New("a word that is too long")
	case n == 0:
		err = errEnded
	}
	var w *word
	if err == nil {
		w, err = decode(c.buf[:n])
	}
	if err != nil {
		closeAll(fds)
		return nil, nil, err
	}
	if w.Type == refused {
		closeAll(fds)
		return nil, nil, &RefusedError{w.Why}
	}
	return w, fds, nil
}

// expect is hear for a word of one type, without descriptors.
func (c *Conn) expect(typ string) (*word, error) {
	w, fds, err := c.hear()
	if err != nil {
		return nil, err
	}
	if w.Type != typ || len(fds) > 0 {
		closeAll(fds)
		return nil, fmt.Errorf("%q came where %q is due", w.Type, typ)
	}
	return w, nil
}

func timedOut(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("no answer in time")
	}
	return err
}

// beside is what came beside a word: descriptors, and the user who has sent it if
// that was asked for, else -1.
func beside(oob []byte) (fds []int, user int, err error) {
	user = -1
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, user, err
	}
	for i := range messages {
		switch messages[i].Header.Type {
		case unix.SCM_CREDENTIALS:
			sender, err := unix.ParseUnixCredentials(&messages[i])
			if err == nil {
				user = int(sender.Uid)
			}
		case unix.SCM_RIGHTS:
			list, err := unix.ParseUnixRights(&messages[i])
			if err != nil {
				closeAll(fds)
				return nil, user, err
			}
			fds = append(fds, list...)
		}
	}
	return fds, user, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// seals keep a memfd as it is.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL

// writeState puts the state into a memfd that nobody can change any more.
func writeState(b []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("roulette-state", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "roulette-state")
	if _, err = f.Write(b); err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("memfd: %w", err)
	}
	return f, nil
}

// readState reads what writeState has written, and no other file.
func readState(fd int, size int64) ([]byte, error) {
	f := os.NewFile(uintptr(fd), "roulette-state")
	defer f.Close()
	if has, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0); err != nil || has&seals != seals {
		return nil, errors.New("the state is not in a sealed memfd")
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() != size {
		return nil, fmt.Errorf("the state has %d bytes and should have %d", info.Size(), size)
	}
	b := make([]byte, size)
	_, err = io.ReadFull(io.NewSectionReader(f, 0, size), b)
	return b, err
}
