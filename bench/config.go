//go:build linux

package bench

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"time"
)

// A Mode says what the clients do.
type Mode string

const (
	// PingPong keeps InFlight messages going round in each pair: a message that
	// arrives is answered at once. It measures throughput.
	PingPong Mode = "pingpong"
	// Rate sends Rate messages a second over all connections, whatever the server
	// does. It measures latency, from the intended time of sending.
	Rate Mode = "rate"
	// Stream lets one side of each pair send as fast as its socket takes.
	Stream Mode = "stream"
	// Handshakes connects, upgrades and closes as fast as Concurrency allows.
	Handshakes Mode = "handshakes"
	// Idle opens the connections and holds them, answering pings. It measures memory.
	Idle Mode = "idle"
	// Churn has clients come, find a partner, talk and leave, one after the other.
	Churn Mode = "churn"
	// Slow is Stream with every second pair's receiver not reading during the
	// measurement, and reading again afterwards. It measures what a stall costs.
	Slow Mode = "slow"
	// Drain is Rate while the server sends everybody away, for Duration at most. It
	// measures how: see [Drained].
	Drain Mode = "drain"
	// Dribble lets each client send its message a byte a second: the load to run
	// beside another one.
	Dribble Mode = "dribble"
)

// Modes lists every mode.
var Modes = []Mode{PingPong, Rate, Stream, Handshakes, Idle, Churn, Slow, Drain, Dribble}

// minSize is the smallest message, in bytes: its head.
const minSize = headSize

// Config says what to do to which server. The zero value of each field but URL
// means the default beside it.
type Config struct {
	URL  string // ws:// or wss://host:port/path; /echo makes every client its own partner
	Mode Mode   // PingPong, or Rate when Rate is set

	// Nodes are further servers of the same world: clients are dealt out to all in turn.
	// The servers decide who meets whom, and so whether it is across nodes; with Across,
	// each pair asks for a table of its own, to which its two come from two nodes.
	Nodes  []string
	Across bool

	TLS    *tls.Config // for wss://: whom clients trust; nil is the system's roots
	Resume bool        // clients resume one TLS session; else each makes a full handshake

	Connections int     // 1000; even, except on /echo
	Idle        int     // 0: further connections beside the busy ones, opened first
	Size        int     // 64: bytes of a message
	Text        Text    // ASCII: what messages are made of
	InFlight    int     // 1: messages under way in each pair, PingPong only
	Rate        float64 // 10 for each connection: messages a second in all, Rate and Drain only
	Talk        int     // 4: messages each client says before it leaves, Churn only

	Duration    time.Duration // 5 s: of the measurement
	Warmup      time.Duration // Duration/5, at most 1 s: traffic before it
	Ramp        time.Duration // 0, as fast as possible: time in which the connections open
	Concurrency int           // 128: handshakes under way at once
	Timeout     time.Duration // 30 s beyond Ramp: for everybody to be connected and paired
	Drain       time.Duration // 3 s: for the messages under way at the end

	// SocketBuffer is the size asked for each client's two socket buffers. 0: the
	// kernel's choice, except 256 KiB for Stream, where a thousand sockets that are
	// always full would take more memory than the kernel grants TCP, and it, not
	// the server, would be measured.
	SocketBuffer int

	Threads int   // 1: event loops
	CPU     []int // none: the CPUs that the loops may run on
	Sources int   // one for 2,000 connections: addresses 127.0.0.2 and up to connect from

	// Of Idle only. Steps are the connection counts at which it measures memory; none:
	// four quarters. Calm, if not 0, is how long it waits at each to measure it again.
	// Rich: clients ask for the subprotocol roulette.v1, and pass over its records.
	Steps []int
	Calm  time.Duration
	Rich  bool

	// PID is the server's process, for its CPU time and memory. 0: not known. Settle is
	// for how long it has used no CPU when its memory is read.
	PID    int
	Settle time.Duration // 1.5 s

	// Begin, if not nil, is called when the measurement begins, on the goroutine of
	// Run: for Drain, what tells the server to send everybody away.
	Begin func()
	// End, if not nil, is called likewise when it ends.
	End func()

	// Progress is called every ProgressEvery (1 s) on the goroutine of Run.
	Progress      func(Progress)
	ProgressEvery time.Duration
}

// Progress is how far a run is.
type Progress struct {
	Phase     string        // connecting, pairing, warming up, measuring, draining, closing
	Elapsed   time.Duration // since Run began
	Left      time.Duration // of the measurement, while it lasts
	Connected int           // connections open now
	Failed    int           // connections that failed or ended early
	Messages  uint64        // received since Run began
	PerSecond float64       // messages, or handshakes, since the last call
}

// target is a URL resolved.
type target struct {
	addr netip.AddrPort
	host string // for the Host header
	name string // for TLS
	tls  bool
	path string
}

// targets resolves all servers, which must be of one kind.
func (c *Config) targets() ([]target, error) {
	var list []target
	for _, raw := range append([]string{c.URL}, c.Nodes...) {
		to, err := resolve(raw)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 && (to.tls != list[0].tls || to.path != list[0].path) {
			return nil, fmt.Errorf("bench: %s and %s are not the same but for the node", c.URL, raw)
		}
		if to.tls && len(list) > 0 && to.name != list[0].name {
			return nil, errors.New("bench: over TLS all nodes have to have the same name")
		}
		list = append(list, to)
	}
	switch {
	case len(c.Nodes) > 0 && list[0].echo():
		return nil, errors.New("bench: on /echo nobody meets anybody, so there is nothing for several nodes to do")
	case c.Across && len(c.Nodes) == 0:
		return nil, errors.New("bench: to meet across nodes takes two of them")
	}
	return list, nil
}

func (t target) echo() bool { return t.path == "/echo" }

// withDefaults fills in what is zero and refuses what cannot work.
func (c Config) withDefaults() (Config, target, error) {
	to, err := resolve(c.URL)
	if err != nil {
		return c, to, err
	}
	if c.Mode == "" {
		c.Mode = PingPong
		if c.Rate > 0 {
			c.Mode = Rate
		}
	}
	known := false
	for _, m := range Modes {
		known = known || m == c.Mode
	}
	if !known {
		return c, to, fmt.Errorf("bench: unknown mode %q", c.Mode)
	}
	if c.Text == "" {
		c.Text = ASCII
	}
	setInt(&c.Concurrency, 128)
	setInt(&c.Connections, 1000)
	if c.Mode == Handshakes {
		c.Connections = c.Concurrency
	}
	setInt(&c.Size, 64)
	setInt(&c.InFlight, 1)
	setInt(&c.Talk, 4)
	setInt(&c.Threads, 1)
	setInt(&c.Sources, min(1+(c.Connections+c.Idle)/2000, 4096))
	if c.Mode == Handshakes || c.Mode == Churn {
		c.Sources = max(c.Sources, 16)
	}
	if c.Rate == 0 {
		c.Rate = 10 * float64(c.Connections)
	}
	setTime(&c.Duration, 5*time.Second)
	setTime(&c.Warmup, min(c.Duration/5, time.Second))
	setTime(&c.Timeout, 30*time.Second)
	setTime(&c.Drain, 3*time.Second)
	setTime(&c.Settle, 1500*time.Millisecond)
	setTime(&c.ProgressEvery, time.Second)
	if c.Mode == Stream {
		setInt(&c.SocketBuffer, 256<<10)
	}
	if len(c.Steps) == 0 {
		n := c.Connections
		c.Steps = []int{n / 4, n / 2, n * 3 / 4, n}
	}

	switch {
	case c.Size < minSize || c.Size > maxSize:
		return c, to, fmt.Errorf("bench: size %d is not in %d to %d", c.Size, minSize, maxSize)
	case !slices.Contains(Texts, c.Text):
		return c, to, fmt.Errorf("bench: unknown text %q", c.Text)
	case c.Connections < 0 || c.Idle < 0 || c.Rate < 0 || c.InFlight < 0 || c.Threads < 0:
		return c, to, errors.New("bench: a count is negative")
	case c.Connections+c.Idle > maxClients:
		return c, to, fmt.Errorf("bench: more than %d connections", maxClients)
	case c.Connections%2 != 0 && c.paired() && !to.echo():
		return c, to, fmt.Errorf("bench: %d connections cannot all have a partner", c.Connections)
	case c.Idle%2 != 0 && !to.echo():
		return c, to, fmt.Errorf("bench: %d idle connections cannot all have a partner", c.Idle)
	case c.Across && c.Mode == Churn:
		return c, to, fmt.Errorf("bench: in mode %s clients change partners, and so do not meet by tables", Churn)
	case c.Rich && c.Mode != Idle:
		return c, to, fmt.Errorf("bench: clients are rich in mode %s only", Idle)
	case c.Threads > max(1, c.Connections):
		c.Threads = c.Connections
	}
	return c, to, nil
}

// paired reports whether traffic waits until everybody has a partner.
func (c *Config) paired() bool {
	switch c.Mode {
	case Handshakes, Idle, Churn:
		return false
	}
	return true
}

func setInt(v *int, def int) {
	if *v == 0 {
		*v = def
	}
}

func setTime(v *time.Duration, def time.Duration) {
	if *v == 0 {
		*v = def
	}
}

func resolve(raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return target{}, fmt.Errorf("bench: %w", err)
	}
	port := u.Port()
	switch {
	case u.Scheme != "ws" && u.Scheme != "wss":
		return target{}, fmt.Errorf("bench: %q is not a ws:// or wss:// URL", raw)
	case port == "" && u.Scheme == "ws":
		port = "80"
	case port == "":
		port = "443"
	}
	addr, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return target{}, fmt.Errorf("bench: %w", err)
	}
	ap := addr.AddrPort()
	path := u.RequestURI()
	return target{addr: netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), host: u.Host, name: u.Hostname(), tls: u.Scheme == "wss", path: path}, nil
}

// protocol is the subprotocol that clients ask for.
func (c *Config) protocol() string {
	if c.Rich || c.Across {
		return "roulette.v1"
	}
	return ""
}
