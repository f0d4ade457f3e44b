package tlsfront

import (
	"cmp"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"roulette/frame/tls13"
)

// conn is the socket as crypto/tls sees it during the handshake. One goroutine has
// it.
type conn struct {
	front    *Front
	raw      syscall.RawConn
	deadline time.Time
	computes bool // holds a place among those that compute

	read   []byte // what has come and was not handed on
	record int    // bytes of read that are of the record being handed on

	written []byte // by the last Write
	secrets secrets
	session *tls13.Session

	early    bool // the client has sent 0-RTT data
	nameless bool // there was no certificate for it
}

// acquire takes a place among those that compute.
func (c *conn) acquire() {
	if !c.computes {
		c.front.compute <- struct{}{}
		c.computes = true
	}
}

func (c *conn) release() {
	if c.computes {
		<-c.front.compute
		c.computes = false
	}
}

// Read hands on bytes of one record only, and of a whole one.
func (c *conn) Read(b []byte) (int, error) {
	if c.record == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.read[:c.record])
	c.read, c.record = c.read[n:], c.record-n
	return n, nil
}

// next waits until there is a whole record.
func (c *conn) next() error {
	for {
		want := recordHeader
		if len(c.read) >= recordHeader {
			want += int(binary.BigEndian.Uint16(c.read[3:]))
			if want > tls13.MostRecord { // crypto/tls refuses it by its header
				c.record = recordHeader
				return nil
			}
		}
		if want > recordHeader && len(c.read) >= want {
			c.record = want
			return nil
		}
		c.read = slices.Grow(c.read, max(want-len(c.read), 512))
		c.release() // while it waits for the client
		n, err := c.receive(c.read[len(c.read):cap(c.read)])
		c.acquire()
		c.read = c.read[:len(c.read)+n]
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		if !time.Now().Before(c.deadline) {
			return os.ErrDeadlineExceeded
		}
	}
}

// atBoundary tells whether crypto/tls has taken whole records only.
func (c *conn) atBoundary() bool { return c.record == 0 }

func (c *conn) Write(b []byte) (int, error) {
	c.written = append(c.written[:0], b...)
	c.release() // the client may not take it
	defer c.acquire()
	return c.send(b)
}

// receive is read(2) that waits. The scheduler is not told of the system call, which
// returns at once, and send does likewise: otherwise it takes a processor away from whom the
// machine does not let run just then, for one more thread, and each is there for good, at
// 48 KB; a crowd made some twenty.
func (c *conn) receive(b []byte) (n int, err error) {
	waited := c.raw.Read(func(fd uintptr) bool {
		var errno unix.Errno
		n, errno = call(unix.SYS_RECVFROM, fd, b, 0)
		err = nil
		if errno != 0 {
			err = os.NewSyscallError("recv", errno)
		}
		return errno != unix.EAGAIN
	})
	return n, cmp.Or(waited, err)
}

// send is write(2) that waits until all of b is written.
func (c *conn) send(b []byte) (sent int, err error) {
	waited := c.raw.Write(func(fd uintptr) bool {
		for len(b) > sent {
			n, errno := call(unix.SYS_SENDTO, fd, b[sent:], unix.MSG_NOSIGNAL)
			if errno == unix.EAGAIN {
				return false
			}
			if errno != 0 {
				err = os.NewSyscallError("send", errno)
				return true
			}
			sent += n
		}
		return true
	})
	return sent, cmp.Or(waited, err)
}

func call(trap, fd uintptr, b []byte, flags uintptr) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// greeted sees what the client says that crypto/tls does not tell.
func (c *conn) greeted(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	c.early = slices.Contains(hello.Extensions, extensionEarlyData)
	return nil, nil
}

// certificate chooses one. It may wait for a disk, or an ACME server's cache.
func (c *conn) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	cert, err := c.front.config.Certificate(hello)
	c.nameless = err != nil
	return cert, err
}

// The rest of net.Conn is of no interest to a handshake.
func (c *conn) Close() error                     { return nil }
func (c *conn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *conn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }
