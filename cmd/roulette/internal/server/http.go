package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/limit"
	"roulette/cmd/roulette/internal/tlsfront"
	"roulette/frame/handshake"
	"roulette/netpoll"
	"roulette/web"
)

// maxHTTP bounds the connections that net/http serves at once (I4), where Config.MaxPages
// does not say: each has a goroutine and buffers.
const maxHTTP = 1024

// httpServer serves, on the public port, what is not a chat: the descriptors
// that the workers hand over, through an in-process listener, with the bytes
// that were read from them.
type httpServer struct {
	// Immutable.
	server  *Server
	std     *http.Server
	arrived chan net.Conn
	done    chan struct{}
	ended   sync.Once

	idle      idleConns        // locked inside
	addresses *limit.Addresses // likewise: places by client address

	// Atomic.
	open atomic.Int32
}

// pagePlace is one place among the connections of net/http.
type pagePlace struct {
	key     uint32 // of the client's address
	counted bool   // for that address
}

func newHTTPServer(s *Server) *httpServer {
	hs := &httpServer{
		server:  s,
		arrived: make(chan net.Conn, s.config.MaxPages), // never full: admit bounds it
		done:    make(chan struct{}),

		addresses: limit.NewAddresses(limit.NewSeed(), s.config.MaxPagesPerAddress, 0),
	}
	mux := http.NewServeMux()
	base := s.config.BasePath
	house := s.config.House
	house.Base, house.Facts = base, s.facts
	mux.Handle("/", hs.uncrowded(house.Wrap(web.HandlerFiltered(base, s.config.WordFilter))))
	mux.HandleFunc(base+healthPath, s.publicHealth)
	if contact := s.config.SecurityContact; contact != "" {
		mux.Handle("/.well-known/security.txt", web.SecurityText(contact))
	}
	for _, e := range endpointsBelow(base) {
		mux.HandleFunc(e.Path, hs.upgrade)
	}
	hs.std = &http.Server{
		Handler:        hs.secured(hs.unbanned(mux)),
		ConnContext:    withConn,
		ReadTimeout:    s.Settings().HandshakeTimeout, // as it is now: net/http takes no other later
		WriteTimeout:   30 * time.Second,
		IdleTimeout:    s.config.KeepAlive,
		MaxHeaderBytes: maxRequest,
		ConnState:      hs.idle.changed,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	go hs.std.Serve(hs)
	return hs
}

// admit takes place among the connections, of the one that has been idle for longest if
// there is no other; serve or release must follow. why says why it may not be.
func (hs *httpServer) admit(place pagePlace, network limit.Network) (why refusal, ok bool) {
	if place.counted && !hs.addresses.Enter(place.key, network) {
		own := func(c *httpConn) bool { return c.place == place }
		if !hs.idle.closeOldest(own) || !hs.addresses.Enter(place.key, network) {
			return addressFull, false
		}
	}
	if hs.open.Add(1) > int32(hs.server.config.MaxPages) && !hs.idle.closeOldest(nil) {
		hs.release(place)
		return pagesFull, false
	}
	return admitted, true
}

// uncrowded is next for clients of trusted proxies, as many requests of each at once as
// others may have connections. A proxy's connections are no client's own: each may bring
// requests of all.
func (hs *httpServer) uncrowded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*httpConn); !ok || c.place.counted {
			next.ServeHTTP(w, r)
			return
		}
		client := hs.server.clientOfRequest(r)
		key, ok := hs.server.addresses.Key(client)
		if !ok || hs.server.rules.Load().TrustedProxies.Contains(client) {
			next.ServeHTTP(w, r)
			return
		}
		if !hs.addresses.Enter(key, limit.NetworkOf(client)) {
			turnAway(w, r, addressFull, refusals[addressFull].retryAfter, web.Appeal{})
			return
		}
		defer hs.addresses.Release(key, 0) // no rate is kept here, so the time is all the same
		next.ServeHTTP(w, r)
	})
}

// release gives a place back, once (I6).
func (hs *httpServer) release(place pagePlace) {
	if place.counted {
		hs.addresses.Release(place.key, 0) // no rate is kept here, so the time is all the same
	}
	hs.open.Add(-1)
}

// serve makes d, which is its own now, a connection of net/http; read is what was
// read from it already. client is who is behind a proxy, if it has said so in a
// header of the PROXY protocol.
func (hs *httpServer) serve(d netpoll.Detached, read []byte, client netip.Addr, place pagePlace) {
	if toPages := hs.server.config.ToPages; toPages != nil {
		hs.release(place)
		toPages(d.FD, read)
		return
	}
	f := os.NewFile(uintptr(d.FD), "")
	conn, err := net.FileConn(f) // a duplicate
	if err != nil {
		// There is no other descriptor. The socket's buffer is empty, or the
		// client is to blame for getting no answer.
		if d.Codec == nil {
			_, _ = unix.Write(d.FD, pagesFull.append(nil))
		}
		f.Close()
		hs.release(place)
		hs.server.log.Debug("connection not handed to net/http", "error", err)
		return
	}
	f.Close()
	if !client.IsValid() {
		switch peer := conn.RemoteAddr().(type) {
		case *net.TCPAddr:
			client = peer.AddrPort().Addr()
		case *net.UnixAddr: // has none
		default: // it was reset meanwhile
			conn.Close()
			hs.release(place)
			return
		}
	}
	c := &httpConn{stream: conn.(stream), socket: conn.(syscall.Conn), server: hs, read: read, client: client, place: place}
	if k, ok := d.Codec.(*codec); ok {
		c.sealed = tlsfront.NewStream(conn, &k.session, d.Unsent, d.Unread)
		c.stream = c.sealed
	}
	hs.arrived <- c
}

// Accept, Close and Addr implement [net.Listener]. Who has arrived is served, also
// when the end has come.
func (hs *httpServer) Accept() (net.Conn, error) {
	select {
	case c := <-hs.arrived:
		return c, nil
	default:
	}
	select {
	case c := <-hs.arrived:
		return c, nil
	case <-hs.done:
		return nil, net.ErrClosed
	}
}

func (hs *httpServer) Close() error {
	hs.ended.Do(func() { close(hs.done) })
	return nil
}

func (hs *httpServer) Addr() net.Addr { return &net.TCPAddr{} }

func (hs *httpServer) shutdown(ctx context.Context) error { return hs.std.Shutdown(ctx) }

func (hs *httpServer) close() error {
	err := hs.std.Close()
	hs.Close() // if Serve had not begun
	for {
		select {
		case c := <-hs.arrived:
			c.Close()
		default:
			return err
		}
	}
}

// stream is what TCP, Unix sockets and TLS have in common.
type stream interface {
	net.Conn
	CloseWrite() error
}

// httpConn is a connection that net/http serves.
type httpConn struct {
	stream
	socket syscall.Conn     // below the stream
	sealed *tlsfront.Stream // the stream, if it is TLS; else nil
	server *httpServer
	read   []byte // what comes before the stream's bytes
	client netip.Addr
	place  pagePlace
	closed atomic.Bool
}

func (c *httpConn) Read(b []byte) (int, error) {
	if len(c.read) > 0 {
		n := copy(b, c.read)
		if c.read = c.read[n:]; len(c.read) == 0 {
			c.read = nil
		}
		return n, nil
	}
	return c.stream.Read(b)
}

func (c *httpConn) Close() error {
	if !c.closed.Swap(true) {
		c.server.release(c.place)
	}
	return c.stream.Close()
}

// upgrade takes a request for a chat path that came through net/http, on a
// connection that had others before: it is answered by the same code as those
// that come first, and the descriptor goes home to a worker.
func (hs *httpServer) upgrade(w http.ResponseWriter, r *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	head := handshake.HeadFromRequest(nil, r)
	rest, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
	served := conn.(*httpConn)
	rest = append(append([]byte(nil), rest...), served.read...)
	fd, err := duplicate(served.socket)
	if err == nil {
		d := netpoll.Detached{FD: fd}
		if served.sealed != nil {
			session, opened, unread := served.sealed.Detach()
			d.Codec, d.Unread = &codec{session: *session}, unread
			rest = append(rest, opened...)
		}
		err = hs.server.adopt(d, served.client, head, rest)
	}
	if err != nil {
		hs.server.log.Warn("connection not taken back from net/http", "error", err)
		_, _ = conn.Write(notTakenBack.append(nil))
	}
}

// adopt makes a connection that net/http had one of a worker's, with a request
// head that was read from it and what came behind.
func (s *Server) adopt(d netpoll.Detached, client netip.Addr, head, rest []byte) error {
	return s.poller.Adopt(d, func(nh netpoll.Handler, c *netpoll.Conn) {
		h := nh.(*handler)
		if h.passOn(c, d.Unread, fromPages(client, head, rest), tlsfront.Outcome{}) {
			c.Abandon()
			return
		}
		if !h.lobby.welcome(c, client) {
			c.Detach()
			s.config.Kernel.Close(d.FD)
			return
		}
		h.lobby.upgrade(c, afterPages, head, rest)
	})
}

// duplicate returns a descriptor of its own for conn's socket. (TCPConn.File
// would put the socket into blocking mode.)
func duplicate(conn syscall.Conn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	ctlErr := raw.Control(func(orig uintptr) {
		fd, err = unix.FcntlInt(orig, unix.F_DUPFD_CLOEXEC, 0)
	})
	return fd, errors.Join(ctlErr, err)
}
