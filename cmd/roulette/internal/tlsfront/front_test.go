package tlsfront

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"roulette/frame/tls13"
)

// socket is one end of a TCP connection as a descriptor, and the other.
func socket(t *testing.T) (fd int, peer net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if peer, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if ctl := raw.Control(func(orig uintptr) { fd, err = unix.FcntlInt(orig, unix.F_DUPFD_CLOEXEC, 0) }); ctl != nil || err != nil {
		t.Fatal(ctl, err)
	}
	return fd, peer
}

// firstRecord reads until there is one; it is what a worker gathers.
func firstRecord(t *testing.T, fd int) (read []byte) {
	t.Helper()
	b := make([]byte, 4096)
	for {
		n, err := unix.Read(fd, b)
		if err == unix.EAGAIN {
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 5000)
			continue
		}
		if err != nil || n == 0 {
			t.Fatalf("%d, %v", n, err)
		}
		read = append(read, b[:n]...)
		if size, result := Hello(read); result != OK || size > 0 {
			return read
		}
	}
}

// TestFirstNumber: behind a session ticket and without one, the first record of the
// session has the number that the client waits for; and what the client has sent
// together with its Finished is not lost.
func TestFirstNumber(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	cert, _, err := SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	tickets, err := OpenTickets("", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string]*Tickets{"with tickets": tickets, "without": nil} {
		t.Run(name, func(t *testing.T) {
			f := New(Config{Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }, Tickets: keys})
			fd, peer := socket(t)
			client := tls.Client(peer, &tls.Config{InsecureSkipVerify: true})
			said := make(chan error, 1)
			go func() {
				_, err := client.Write([]byte("hello")) // shakes hands before
				said <- err
			}()
			outcomes := make(chan Outcome, 1)
			if !f.Admit(Client{}) {
				t.Fatal("not admitted")
			}
			f.Handshake(Arrival{FD: fd, Read: firstRecord(t, fd), Deadline: time.Now().Add(10 * time.Second)}, func(o Outcome) { outcomes <- o })
			o := <-outcomes
			if !o.Result.Good() || o.Session == nil {
				t.Fatalf("%v", o.Result)
			}
			defer unix.Close(o.FD)
			if err := <-said; err != nil {
				t.Fatal(err)
			}
			k, unread := tls13.NewKeys(1), o.Unread
			for {
				data, size, _, err := o.Session.Open(k, unread)
				if err != nil {
					t.Fatal(err)
				}
				if size > 0 && size <= len(unread) {
					if string(data) != "hello" {
						t.Fatalf("%q", data)
					}
					break
				}
				b := make([]byte, 512)
				n, err := unix.Read(o.FD, b)
				if err == unix.EAGAIN {
					_, _ = unix.Poll([]unix.PollFd{{Fd: int32(o.FD), Events: unix.POLLIN}}, 5000)
				} else if err != nil {
					t.Fatal(err)
				}
				unread = append(unread, b[:max(n, 0)]...)
			}
			if _, err := unix.Write(o.FD, o.Session.AppendData(k, nil, []byte("good day"))); err != nil {
				t.Fatal(err)
			}
			heard := make([]byte, 8)
			if _, err := io.ReadFull(client, heard); err != nil || string(heard) != "good day" {
				t.Errorf("%q, %v", heard, err)
			}
			f.Close()
			if f.Open() != 0 || len(f.files) != 0 {
				t.Errorf("%d open, %d files", f.Open(), len(f.files))
			}
		})
	}
}

// TestHelloPrefixes: whatever a first record is cut to, nothing is found wrong with
// it, and its length is known when it is whole.
func TestHelloPrefixes(t *testing.T) {
	hello := append([]byte{22, 3, 1, 0, 0, 1, 0, 0, 0}, bytes.Repeat([]byte{7}, 300)...)
	binary.BigEndian.PutUint16(hello[3:], uint16(len(hello)-5))
	hello[7], hello[8] = byte((len(hello)-9)>>8), byte(len(hello)-9)
	for i := range hello {
		if size, result := Hello(hello[:i]); size != 0 || result != OK {
			t.Fatalf("%d bytes: %d, %v", i, size, result)
		}
	}
	for _, more := range []string{"", "x", string(hello)} {
		if size, result := Hello(append(bytes.Clone(hello), more...)); size != len(hello) || result != OK {
			t.Errorf("%d more: %d, %v", len(more), size, result)
		}
	}
}

// TestBounds: handshakes at once, and of one address; who is not counted has only
// the first.
func TestBounds(t *testing.T) {
	f := New(Config{Most: 4, PerAddress: 2})
	one, two := Client{Address: 1, Counted: true}, Client{Address: 2, Counted: true}
	for i, step := range []struct {
		client Client
		want   bool
	}{{one, true}, {one, true}, {one, false}, {two, true}, {Client{}, true}, {Client{}, false}, {two, false}} {
		if got := f.Admit(step.client); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
	f.leave(one)
	if !f.Admit(two) || f.Admit(one) || f.Open() != 4 {
		t.Errorf("%d open", f.Open())
	}
	for _, c := range []Client{one, two, two, {}} {
		f.leave(c)
	}
	if f.Open() != 0 || len(f.addresses) != 0 {
		t.Errorf("%d open, %v", f.Open(), f.addresses)
	}
}
