package mesh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// NATS is a [Bus] on NATS core: at most once, no history, no JetStream. What is
// published goes through a bounded queue to one goroutine, so a worker never waits
// for the bus. What is published while that goroutine is not at work, on one subject, is
// one message of NATS, a packet: the bus, and whoever hears it, take much the same time for
// a message whatever it holds.
type NATS struct {
	// Immutable.
	log  *slog.Logger
	done chan struct{} // closed when the sending goroutine is through
	mesh *Mesh         // set by Start, before anything comes from the bus

	// Guarded by mu.
	mu     sync.Mutex
	conn   *nats.Conn // nil before Start; it never changes after
	queue  []*packet
	open   map[string]*packet // by subject: those of queue that have room
	words  int                // in queue
	spare  []*packet          // to be used again
	bytes  int
	closed bool
	wake   chan struct{} // has room for one: the queue is not empty any more
}

// packet is words to one subject.
type packet struct {
	subject string
	words   []byte
	sent    chan struct{} // no words: closed when those before it were handed to the bus
}

const (
	// Who says so many words at once is so busy that what comes in the next moment had
	// better go together: nobody notices a millisecond, and the bus and all nodes have
	// fewer packets to wake up for.
	manyWords = 8
	gather    = time.Millisecond

	packetSize  = 64 << 10 // a packet of more has one word
	sparePieces = 64       // that many packets are kept to be used again
)

// queueLimit bounds what waits to be sent (I4): what the credits of some nodes
// allow. Beyond it all is thrown away, and the chats across nodes end.
const queueLimit = 32 << 20

// NATSConfig says where the bus is. The fields are nats.go's.
type NATSConfig struct {
	URLs        string // nats://host:4222, several by commas; tls:// for TLS
	Credentials string // file of a user's credentials; may be missing
	CA          string // file of the authorities that are believed; may be missing
	Certificate string // files of a client certificate and its key; both or none
	Key         string
	Name        string // of this connection, for people
}

// The pace at which a dead bus is noticed and looked for.
const (
	pingEvery     = 2 * time.Second
	pingsOut      = 2
	lookAgain     = 250 * time.Millisecond
	lookJitter    = 250 * time.Millisecond
	connectWithin = 2 * time.Second
)

// CheckURL returns what is wrong with the address of a bus, nil if nothing is.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("no URL")
	case !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) || u.Hostname() == "" || strings.HasPrefix(u.Host, ":"):
		return errors.New("wants an address such as nats://10.0.0.5:4222")
	case u.Path != "" && u.Path != "/":
		return errors.New("a bus has no path")
	}
	return nil
}

// options checks c and returns what nats.go wants.
func (b *NATS) options(c NATSConfig) ([]nats.Option, error) {
	for _, text := range strings.Split(c.URLs, ",") {
		if err := CheckURL(strings.TrimSpace(text)); err != nil {
			return nil, fmt.Errorf("mesh: %q: %w", text, err)
		}
	}
	if (c.Certificate == "") != (c.Key == "") {
		return nil, errors.New("mesh: a client certificate and its key go together")
	}
	o := []nats.Option{
		nats.Name(c.Name),
		nats.NoEcho(),
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(), // an operator who mends the accounts need not restart every node
		nats.MaxReconnects(-1),
		nats.ReconnectWait(lookAgain), nats.ReconnectJitter(lookJitter, lookJitter),
		nats.ReconnectBufSize(-1), // what is said while the bus is gone is lost, and known to be
		nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(pingsOut),
		nats.Timeout(connectWithin), nats.FlusherTimeout(connectWithin),
		nats.ConnectHandler(func(*nats.Conn) { b.log.Info("bus connected") }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if !b.stopped() {
				b.log.Warn("bus lost", "error", err)
				b.mesh.BusLost()
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			b.log.Info("bus connected again")
			b.mesh.BusLost() // what was said in between has reached nobody
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			b.log.Warn("bus error", "error", err)
			if errors.Is(err, nats.ErrSlowConsumer) {
				b.mesh.BusLost()
			}
		}),
	}
	if c.Credentials != "" {
		o = append(o, nats.UserCredentials(c.Credentials))
	}
	if c.CA != "" {
		o = append(o, nats.RootCAs(c.CA))
	}
	if c.Certificate != "" {
		o = append(o, nats.ClientCert(c.Certificate, c.Key))
	}
	return o, nil
}

// NewNATS returns a Bus that is nowhere yet: what is published before Start is
// lost. log is told when the bus comes and goes.
func NewNATS(log *slog.Logger) *NATS {
	return &NATS{log: log, done: make(chan struct{}), open: make(map[string]*packet), wake: make(chan struct{}, 1)}
}

// Start connects to the bus, or goes on trying to, and has m receive. An error is
// one of the configuration; a bus that cannot be reached is not.
func (b *NATS) Start(c NATSConfig, m *Mesh) error {
	b.mesh = m
	options, err := b.options(c)
	if err != nil {
		return err
	}
	conn, err := nats.Connect(c.URLs, options...)
	if err != nil {
		return fmt.Errorf("mesh: %w", err)
	}
	for _, subject := range []string{m.BeatSubject(), m.MeetSubject(), m.Subject()} {
		s, err := conn.Subscribe(subject, func(word *nats.Msg) { m.Receive(word.Data) })
		if err == nil {
			err = s.SetPendingLimits(-1, -1) // the credits are the bound (N3)
		}
		if err != nil {
			conn.Close()
			return fmt.Errorf("mesh: %w", err)
		}
	}
	b.mu.Lock()
	b.conn = conn
	b.mu.Unlock()
	go b.send()
	return nil
}

// Publish implements [Bus].
func (b *NATS) Publish(subject string, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn == nil || b.closed {
		return
	}
	if b.bytes+len(data) > queueLimit {
		// The numbers that are missing tell the others.
		b.log.Warn("bus too slow: words are thrown away", "bytes", b.bytes)
		b.queue = slices.DeleteFunc(b.queue, func(p *packet) bool { return p.sent == nil })
		clear(b.open)
		b.bytes = 0
	}
	p := b.open[subject]
	if p == nil || len(p.words)+len(data) > packetSize {
		p = b.packetLocked()
		p.subject = subject
		b.queue = append(b.queue, p)
		b.open[subject] = p
	}
	p.words = append(p.words, data...)
	b.words++
	b.bytes += len(data)
	b.wakeLocked()
}

// packetLocked is a packet without words. mu is held.
func (b *NATS) packetLocked() *packet {
	if n := len(b.spare) - 1; n >= 0 {
		p := b.spare[n]
		b.spare = b.spare[:n]
		return p
	}
	return new(packet)
}

// wakeLocked has send look at the queue. mu is held.
func (b *NATS) wakeLocked() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// send hands to the bus what Publish has queued.
func (b *NATS) send() {
	defer close(b.done)
	var queue []*packet
	for range b.wake {
		b.mu.Lock()
		queue, b.queue = b.queue, queue[:0]
		words := b.words
		b.bytes, b.words = 0, 0
		clear(b.open)
		b.mu.Unlock()
		for _, p := range queue {
			if p.sent != nil {
				close(p.sent)
				continue
			}
			// An error says that the bus is gone, and Mesh hears of that.
			_ = b.conn.Publish(p.subject, p.words)
		}
		b.reuse(queue)
		if words >= manyWords {
			time.Sleep(gather)
		}
	}
}

// reuse keeps packets that were sent, but for those that are large.
func (b *NATS) reuse(sent []*packet) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range sent {
		if p.sent == nil && cap(p.words) <= packetSize && len(b.spare) < sparePieces {
			p.words = p.words[:0]
			b.spare = append(b.spare, p)
		}
	}
	clear(sent)
}

// Flush returns when the bus has all that was published, and knows what this node
// wants to hear. A bus that is not there has nothing and never will: that is an error,
// too.
func (b *NATS) Flush(ctx context.Context) error {
	b.mu.Lock()
	if b.conn == nil || b.closed {
		b.mu.Unlock()
		return errNoBus
	}
	sent := make(chan struct{})
	b.queue = append(b.queue, &packet{sent: sent})
	b.wakeLocked()
	b.mu.Unlock()
	select {
	case <-sent:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := b.conn.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("mesh: %w", err)
	}
	return nil
}

var errNoBus = errors.New("mesh: there is no bus")

// Connected reports whether the bus is there now.
func (b *NATS) Connected() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.conn != nil && b.conn.IsConnected()
}

func (b *NATS) stopped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// Close sends what is queued and leaves the bus, within ctx.
func (b *NATS) Close(ctx context.Context) error {
	b.mu.Lock()
	if b.closed || b.conn == nil {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	close(b.wake)
	b.mu.Unlock()
	defer b.conn.Close()
	select {
	case <-b.done:
		if !b.conn.IsConnected() {
			return nil
		}
		return b.conn.FlushWithContext(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}
