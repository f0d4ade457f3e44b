package tlsfront

import (
	"crypto/tls"
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/sys/unix"

	"roulette/frame/tls13"
)

// Config says how a Front works. Zero values mean the defaults.
type Config struct {
	// Certificate chooses one. Required. An error means that there is none for the
	// name that the client has sent.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Challenges: the ALPN protocol of tls-alpn-01 is spoken, for Certificate
	// answers it.
	Challenges bool
	// Tickets are the keys of session tickets. nil: none are given.
	Tickets *Tickets
	// Most handshakes at once; default 4096. PerAddress: of one address; default 64.
	Most, PerAddress int
	// Compute is how many of them compute at once; default 2×GOMAXPROCS.
	Compute int
}

// protocolHTTP is the one that is spoken here (RFC 7301).
const protocolHTTP = "http/1.1"

// Front makes handshakes. Any goroutine may call it.
type Front struct {
	// Immutable.
	config  Config
	base    *tls.Config // cloned for each connection
	compute chan struct{}

	// Atomic.
	open  atomic.Int64
	begun atomic.Uint64

	under sync.WaitGroup // handshakes

	// Guarded by mu.
	mu        sync.Mutex
	closed    bool
	files     map[*os.File]struct{} // of handshakes under way
	addresses map[uint32]int        // handshakes of each address that has some
}

// New makes a Front.
func New(config Config) *Front {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&config.Most, 4096)
	def(&config.PerAddress, 64)
	def(&config.Compute, 2*runtime.GOMAXPROCS(0))
	f := &Front{
		config:    config,
		compute:   make(chan struct{}, config.Compute),
		files:     make(map[*os.File]struct{}),
		addresses: make(map[uint32]int),
		base: &tls.Config{
			MinVersion:             tls.VersionTLS13,
			NextProtos:             []string{protocolHTTP},
			SessionTicketsDisabled: config.Tickets == nil,
		},
	}
	if config.Challenges {
		f.base.NextProtos = append(f.base.NextProtos, acme.ALPNProto)
	}
	if config.Tickets != nil {
		// Explicitly, or each clone would roll its own.
		config.Tickets.Follow(f.base.SetSessionTicketKeys)
	}
	return f
}

// Client is whose handshake it is, for Config.PerAddress.
type Client struct {
	Address uint32 // a number for it; see package limit
	Counted bool   // else it is not counted
}

// Arrival is a socket whose ClientHello has come.
type Arrival struct {
	Client Client
	// FD is a non-blocking stream socket. It is the Front's from now on.
	FD int
	// Read is what was read from it: a whole first record (see Hello) and perhaps
	// more. It is the Front's from now on.
	Read []byte
	// Deadline is when the handshake has to be over.
	Deadline time.Time
}

// Outcome is what a handshake has made of a socket. The descriptor, another one
// for the same socket, is the receiver's; if Result is not Good the client has been
// told, and it is to be ended. FD is -1 when there was no descriptor left.
type Outcome struct {
	FD      int
	Result  Result
	Session *tls13.Session // nil if not Good
	Unread  []byte         // read from the socket, behind the handshake
	Took    time.Duration  // since Handshake was called
}

// Admit takes a place among the handshakes; Handshake must follow. False: there are
// too many.
func (f *Front) Admit(c Client) bool {
	if f.open.Add(1) > int64(f.config.Most) {
		f.open.Add(-1)
		return false
	}
	if !c.Counted {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.addresses[c.Address] >= f.config.PerAddress {
		f.open.Add(-1)
		return false
	}
	f.addresses[c.Address]++
	return true
}

// Handshake shakes hands on a goroutine of its own, which calls done in the end.
func (f *Front) Handshake(a Arrival, done func(Outcome)) {
	f.under.Add(1)
	f.begun.Add(1)
	go func() {
		defer f.under.Done()
		began := time.Now()
		o := f.shake(a)
		o.Took = time.Since(began)
		done(o)
		f.leave(a.Client)
	}()
}

// Close cuts short the handshakes that are under way, and returns when all are over.
func (f *Front) Close() {
	f.mu.Lock()
	f.closed = true
	for file := range f.files {
		_ = file.SetDeadline(time.Unix(1, 0)) // it is open, and such files have deadlines
	}
	f.mu.Unlock()
	f.under.Wait()
}

// hold notes that a handshake has file, and drop that it is over.
func (f *Front) hold(file *os.File, deadline time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return os.ErrDeadlineExceeded
	}
	f.files[file] = struct{}{}
	return file.SetDeadline(deadline)
}

func (f *Front) drop(file *os.File) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.files, file)
}

// Begun is how many handshakes there have been.
func (f *Front) Begun() uint64 { return f.begun.Load() }

// Open is how many handshakes there are now.
func (f *Front) Open() int { return int(f.open.Load()) }

func (f *Front) leave(c Client) {
	f.open.Add(-1)
	if !c.Counted {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.addresses[c.Address]--; f.addresses[c.Address] == 0 {
		delete(f.addresses, c.Address)
	}
}

// shake makes one handshake.
func (f *Front) shake(a Arrival) Outcome {
	// The descriptor is in the runtime's poller as long as this one is open.
	file := os.NewFile(uintptr(a.FD), "")
	defer file.Close()
	raw, err := file.SyscallConn()
	if err != nil {
		return Outcome{FD: -1, Result: Failed} // it is closed, and cannot be
	}
	c := &conn{front: f, raw: raw, read: a.Read, deadline: a.Deadline}
	result := Timeout
	if err := f.hold(file, a.Deadline); err == nil {
		if c.acquire(); time.Now().Before(a.Deadline) {
			result = f.handshake(c)
		}
		c.release()
	} else if !errors.Is(err, os.ErrDeadlineExceeded) {
		result = Failed
	}
	f.drop(file)
	o := Outcome{FD: -1, Result: result}
	if result.Good() {
		o.Session, o.Unread = c.session, c.read
	}
	var errno unix.Errno
	err = raw.Control(func(fd uintptr) {
		var dup uintptr
		dup, _, errno = unix.RawSyscall(unix.SYS_FCNTL, fd, unix.F_DUPFD_CLOEXEC, 0) // see conn.receive
		o.FD = int(dup)
	})
	if err != nil || errno != 0 {
		o.FD, o.Session = -1, nil
		if result.Good() {
			o.Result = Failed
		}
	}
	return o
}

// handshake runs crypto/tls on c.
func (f *Front) handshake(c *conn) Result {
	config := f.base.Clone()
	config.KeyLogWriter = &c.secrets
	config.GetConfigForClient = c.greeted
	config.GetCertificate = c.certificate
	defer c.secrets.wipe()
	t := tls.Server(c, config)
	if err := t.Handshake(); err != nil {
		return c.resultOf(err)
	}
	state := t.ConnectionState()
	switch {
	case state.NegotiatedProtocol == acme.ALPNProto:
		return Challenge
	case !c.atBoundary():
		return Failed // crypto/tls holds bytes of the stream
	}
	session, err := c.secrets.session(state.CipherSuite, c.written)
	if err != nil {
		return Failed
	}
	c.session = session
	if state.DidResume {
		return Resumed
	}
	return OK
}
