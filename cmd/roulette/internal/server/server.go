package server

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"roulette/cmd/roulette/internal/admin"
	"roulette/cmd/roulette/internal/host"
	"roulette/cmd/roulette/internal/limit"
	"roulette/cmd/roulette/internal/proof"
	"roulette/cmd/roulette/internal/resume"
	"roulette/cmd/roulette/internal/safety"
	"roulette/frame"
	"roulette/frame/handshake"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
	"roulette/pairing"
	"roulette/web"
)

// Config says how a Server works. Zero values mean the defaults.
type Config struct {
	Settings              // what is in force first; see Server.Apply
	Workers  int          // default GOMAXPROCS
	Version  string       // for build_info
	Revision string       // likewise
	Logger   *slog.Logger // default slog.Default()
	Log      *admin.Log   // the Logger's, for operators to see and steer; nil: they cannot

	KeepAlive time.Duration // how long a connection of pages may be idle; default 75 s

	MaxPages           int // connections that fetch pages, at once; default 1024
	MaxPagesPerAddress int // the same of one client address; 0: no limit

	BasePath        string     // what the page, its links and the endpoints are below; default "/"
	TLS             *TLS       // what ListenTLS needs; nil: nothing is
	SecurityContact string     // a URI for /.well-known/security.txt; empty is none
	Appeal          web.Appeal // where who is banned can write to
	House           web.House  // what the operator says to people; Base and Facts are the server's
	StateDir        string     // whose disk is looked after; empty: there is none
	WordFilter      web.Filter // what the page blurs in what strangers say
	AdminHosts      []string   // names of the admin side, besides those that are private anyway

	Cluster *Cluster     // the nodes that it belongs to; nil: it is alone
	Bans    *safety.Bans // default: none yet, and those to come end with the process

	// Safety is how much is done for the safety of strangers. PersonSecret is what
	// people are known by; default: a predecessor's, or a new one. Reports is where
	// verified reports go; nil: none is taken.
	Safety       safety.Mode
	PersonSecret *safety.Secret
	Reports      safety.Reports
	Inbox        *safety.Inbox // the same for moderators; nil: there are none
	Plain        Plain         // whom clients that speak no records may meet
	Proof        ProofMode     // when newcomers are asked for a proof of work; of no use with safety.Off

	ResumeKeys *resume.Keys // sign what a broken chat is resumed with; default: new ones

	// For a simulator. Defaults: the kernel, math/rand/v2, and net/http, which
	// ToPages replaces: fd is its own, read what was read from it.
	Kernel  netpoll.Kernel
	Rand    func(n uint32) uint32
	ToPages func(fd int, read []byte)

	// RestoreCodec makes a codec of what its AppendState has written in the server
	// that connections are taken over from; default: TLS's, if there is Config.TLS.
	RestoreCodec func(state []byte) (netpoll.Codec, error)
	// CodecOf is netpoll's; default TLS's.
	CodecOf func(*netpoll.Coded) netpoll.Codec

	memory host.Memory // default host.GoMemory
}

const (
	// messageTimeout bounds how long a message may be under way.
	messageTimeout = 60 * time.Second
	lingerTimeout  = 3 * time.Second
	// readBuffer is the most that one read brings.
	readBuffer = 256 << 10
	// reserve is how many descriptors are kept free of chat connections: for
	// listeners, epolls, the admin side, and for refusing in good order.
	reserve = 64
	// maxTurnedAway bounds the connections over a limit that are kept until
	// their request can be answered (I4); they live on the reserve.
	maxTurnedAway = 32
)

func (c Config) withDefaults() Config {
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.BasePath == "" {
		c.BasePath = "/"
	}
	if c.KeepAlive <= 0 {
		c.KeepAlive = 75 * time.Second
	}
	if c.MaxPages <= 0 {
		c.MaxPages = maxHTTP
	}
	if c.RestoreCodec == nil && c.TLS != nil {
		c.RestoreCodec = restoreCodec
	}
	if c.CodecOf == nil {
		c.CodecOf = codecOf
	}
	if c.ResumeKeys == nil {
		c.ResumeKeys = resume.NewKeys()
	}
	if c.Reports == nil && c.Inbox != nil {
		c.Reports = c.Inbox
	}
	if c.Bans == nil {
		c.Bans = new(safety.Bans)
	}
	if c.Kernel == nil {
		c.Kernel = netpoll.Linux()
	}
	return c
}

// Server is a chat roulette.
type Server struct {
	// Immutable after New.
	config    Config // but for the Settings
	log       *slog.Logger
	started   time.Time
	most      int // connections that the descriptor limit has room for
	poller    *netpoll.Poller
	pairs     *pairing.Table
	standIns  standIns[*absence] // locked inside
	breaks    breaks             // locked inside
	cluster   *cluster           // nil: alone
	addresses *limit.Addresses
	bans      *safety.Bans
	known     *familiar // nil: nobody is known
	reports   reports   // locked inside
	scores    safety.Scores
	proofs    proofs
	http      *httpServer
	registry  *prometheus.Registry
	pressure  *host.Pressure
	refusals  *sampledLog
	kicks     *sampledLog
	ruled     *sampledLog
	sorry     []byte // the frame a plain client without a partner gets back

	// Owned by worker 0.
	crowd host.Crowd

	closing sync.Once     // of the cluster, and of what keeps the inbox
	ended   chan struct{} // closed by closing

	applying sync.Mutex // one Apply at a time
	moving   sync.Mutex // held in a halt, and to close

	// Guarded by applying.
	backlogLimit int // netpoll's; it never shrinks

	// Atomic.
	rules      atomic.Pointer[rules] // those of the last Apply; a worker goes by its handler's
	announced  atomic.Pointer[announcement]
	phase      atomic.Int32
	drain      atomic.Pointer[drain]            // when people are sent away
	awaited    atomic.Pointer[condition]        // what Shutdown waits for
	turnedAway atomic.Int32                     // connections that are kept to be refused
	chats      atomic.Int32                     // open ones (I4: no more than MaxConnections); the sum of the workers'
	before     atomic.Pointer[metrics.Counters] // what predecessors have counted; nil: nothing
	leaving    atomic.Pointer[Leaving]
	successor  atomic.Pointer[func(fd int, b []byte) error] // Leaving.pass when all was handed over; else nil
	lineage    atomic.Pointer[Lineage]
	handovers  [metrics.HandoverResults]atomic.Uint64 // predecessors' included
}

// endpoints are the chats', below the base path; on /echo there is no subprotocol to choose.
var endpoints = [...]handshake.Endpoint{
	chatEndpoint: {Path: "ws", Subprotocols: []string{record.Subprotocol}},
	echoEndpoint: {Path: "echo"},
}

// endpointsBelow are the endpoints of a server whose site is below base.
func endpointsBelow(base string) []handshake.Endpoint {
	all := slices.Clone(endpoints[:])
	for i := range all {
		all[i].Path = base + all[i].Path
	}
	return all
}

const (
	chatEndpoint = iota
	echoEndpoint

	healthPath = "healthz" // below the base path
)

// sorryText is what the original of 2016 answers, to the letter.
const sorryText = "Sorry you dont have partner yet, check back in a minute"

// New makes a Server and starts its workers; it listens to nothing yet.
func New(config Config) (*Server, error) {
	config = config.withDefaults()
	descriptors, err := host.RaiseDescriptorLimit()
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	if descriptors <= reserve {
		return nil, fmt.Errorf("server: the limit of %d descriptors leaves none for connections", descriptors)
	}
	s := &Server{
		config:   config,
		bans:     config.Bans,
		ended:    make(chan struct{}),
		log:      config.Logger,
		started:  time.Now(),
		most:     descriptors - reserve,
		sorry:    frame.AppendMessage(nil, opText, []byte(sorryText)),
		pressure: host.NewPressure(config.memory, config.Logger),
		refusals: newRefusalLog(config.Logger),
		kicks:    newKickLog(config.Logger),
		ruled:    newRuleLog(config.Logger, config.Safety == safety.Observe),
	}
	if config.Safety != safety.Off {
		secret := config.PersonSecret
		if secret == nil {
			secret = safety.NewSecret()
		}
		s.known = newFamiliar(secret)
		s.proofs.issuer = proof.NewIssuer(secret.For("proof"))
		s.scores.Observe = config.Safety == safety.Observe
	}
	rules, err := s.newRules(config.Settings)
	if err != nil {
		return nil, err
	}
	s.rules.Store(rules)
	s.addresses = limit.NewAddresses(limit.NewSeed(), rules.MaxConnectionsPerAddress, rules.HandshakesPerAddress)
	s.backlogLimit = rules.backlogLimit()
	polling := netpoll.Config{
		NewHandler:    func(w *netpoll.Worker) netpoll.Handler { return newHandler(s, w) },
		CodecOf:       config.CodecOf,
		Workers:       config.Workers,
		MaxConns:      descriptors, // who is too many is counted and answered by the handler
		BacklogLimit:  s.backlogLimit,
		ReadBuffer:    readBuffer,
		Wipe:          config.Safety != safety.Off,
		StallTimeout:  rules.StallTimeout,
		LingerTimeout: lingerTimeout,
		Tick:          rules.tick(),
		Kernel:        config.Kernel,
		Logger:        config.Logger,
	}
	ids := min(polling.IDs(), pairing.MaxIDs-2*maxStandIns)
	s.standIns.first = seat(ids)
	guests := ids + maxStandIns
	s.pairs = pairing.New(pairing.Config{
		IDs:    guests + maxStandIns,
		Guests: uint32(guests),
		People: config.Safety != safety.Off,
		Shards: min(4*config.Workers, 64),
		Rand:   config.Rand,
	})
	if s.poller, err = netpoll.Open(polling); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	s.breaks = breaks{server: s, keys: config.ResumeKeys, node: resume.Node(rand.Uint64())}
	if config.Cluster != nil {
		if s.cluster, err = newCluster(s, config.Cluster, seat(guests)); err != nil {
			return nil, errors.Join(fmt.Errorf("server: %w", err), s.poller.Close())
		}
	}
	scheduler, simulated := config.Kernel.(netpoll.Scheduler)
	if simulated {
		s.breaks.yield = scheduler.BeforeLock
	}
	s.registry = s.newRegistry()
	s.http = newHTTPServer(s)
	switch {
	case s.cluster == nil:
	case simulated: // see Inside.Tick
		close(s.cluster.stopped)
	default:
		go s.cluster.run()
	}
	if config.Inbox != nil {
		s.reports.under.Go(func() { s.keepInbox(s.ended) })
	}
	// Last, for what a worker does at each tick may need any of this.
	if err = s.poller.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("server: %w", err), s.Close())
	}
	return s, nil
}

// Listen serves the public port on addr, and returns the address it got.
func (s *Server) Listen(addr netip.AddrPort) (netip.AddrPort, error) {
	return s.poller.Listen(addr)
}

// ListenTLS is Listen for clients that speak TLS. Config.TLS must be there.
func (s *Server) ListenTLS(addr netip.AddrPort) (netip.AddrPort, error) {
	return s.poller.ListenAt(doorTLS, addr)
}

// ListenTLSOn is ListenTLS for a socket, as ListenOn is.
func (s *Server) ListenTLSOn(fd int) (netip.AddrPort, error) { return s.poller.ListenOn(doorTLS, fd) }

// ListenOn is Listen for a socket that [netpoll.PrepareListener] has taken on.
func (s *Server) ListenOn(fd int) (netip.AddrPort, error) { return s.poller.ListenOn(0, fd) }

// Population is how many connections and pairs there are.
func (s *Server) Population() (connections, pairs int) { return s.poller.Count(), s.pairs.Pairs() }

// place spreads consecutive ids evenly over (0, 1].
func place(id uint32) float64 {
	return float64(id*2654435769+1<<31) / (1 << 32) // Fibonacci hashing
}

// Close ends everything now.
func (s *Server) Close() error {
	s.phase.Store(int32(phaseDraining))
	s.endHandshakes()
	s.proofs.queue.Close()
	s.closing.Do(func() {
		s.cluster.close()
		close(s.ended)
	})
	s.moving.Lock()
	defer s.moving.Unlock()
	err := errors.Join(s.http.close(), s.poller.Close())
	s.reports.under.Wait()
	return err
}

// newRegistry wires the workers' counters to Prometheus.
func (s *Server) newRegistry() *prometheus.Registry {
	workers := s.poller.Workers()
	return metrics.NewRegistry(metrics.Config{
		Descriptors: host.OpenDescriptors,
		Workers:     len(workers),
		Ask: func(i int, take func(*metrics.Counters)) {
			h := workers[i].Handler().(*handler)
			if workers[i].Ask(func() { take(h.collect()) }) != nil {
				<-workers[i].Ended() // at once, and then nobody else touches them
				take(h.collect())
			}
		},
		Status: func() metrics.Status {
			undecided, oldestUndecided := s.undecided()
			ruled := s.scores.ActedBy()
			return metrics.Status{
				TLSHandshakesOpen:   s.shaking(),
				CertificateNotAfter: s.config.TLS.notAfter(),
				CertificateLoads:    s.config.TLS.loads(),
				ConnectionsLimit:    s.rules.Load().MaxConnections,
				Pairs:               s.pairs.Pairs(),
				Pages:               int(s.http.open.Load()),
				OldestWait:          s.oldestWait(),
				Draining:            s.phaseNow() >= phaseGrace,
				Away:                s.breaks.away(),
				Handovers:           s.handoverResults(),
				HandoverFrozen:      s.frozen(),
				Cluster:             s.cluster.metrics(),
				Bans:                s.bans.InForce(),
				PeopleBanned:        s.bans.PeopleBanned(),
				PeopleShadowed:      s.bans.PeopleShadowed(),
				RulesActed:          ruled[:],
				ProofBits:           int(s.proofs.bits.Load()),
				ReportsUndecided:    undecided,
				OldestUndecided:     oldestUndecided,
				People:              s.pairs.People(),
				StateFree:           s.stateFree(),
			}
		},
		Before:   s.before.Load,
		Version:  s.config.Version,
		Revision: s.config.Revision,
	})
}

// stateFree is how many bytes are free for the state; NaN: there is no folder for it, or
// nobody can tell.
func (s *Server) stateFree() float64 {
	if s.config.StateDir != "" {
		if free, err := host.FreeBytes(s.config.StateDir); err == nil {
			return free
		}
	}
	return math.NaN()
}

func (s *Server) handoverResults() (n [metrics.HandoverResults]uint64) {
	for i := range n {
		n[i] = s.handovers[i].Load()
	}
	return n
}

// frozen is how long nobody was served when the server took over; 0: it did not.
func (s *Server) frozen() time.Duration {
	if l := s.lineage.Load(); l != nil {
		return l.Frozen
	}
	return 0
}

// oldestWait is since when somebody waits for a partner; zero if nobody does.
func (s *Server) oldestWait() time.Time {
	now := milliseconds(s.poller.Workers()[0].Time())
	if waited, ok := s.pairs.LongestWait(now); ok {
		return time.Now().Add(-time.Duration(waited) * time.Millisecond)
	}
	return time.Time{}
}
