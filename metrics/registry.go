package metrics

import (
	"cmp"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// namespace is the prefix of all names of this package's own metrics.
const namespace = "roulette"

// defaultAnswerTimeout is how long a scrape waits for the workers' copies.
const defaultAnswerTimeout = 2 * time.Second

// Config says where a scrape finds its values.
type Config struct {
	// Workers is how many workers there are; they are numbered from 0.
	Workers int

	// Ask arranges that take is called exactly once, on the worker's own
	// goroutine, with that worker's counters, and returns without waiting for it.
	// For a worker that has ended for good it may call take itself. take only
	// copies, never blocks, and does no harm when it is called too late. Called on
	// the goroutine of a scrape. Needed when Workers is not 0.
	Ask func(worker int, take func(*Counters))

	// Status tells what is the server's and no worker's. Called once per scrape,
	// on its goroutine; it must not take a lock of the byte path for long. Nil
	// means a zero Status.
	Status func() Status

	// Before is what predecessors of this process have counted; nil: nothing. Called
	// once per scrape.
	Before func() *Counters

	// AnswerTimeout bounds the wait for the workers; 0 means 2 s.
	AnswerTimeout time.Duration

	// Descriptors is how many are open, -1 if that cannot be known. Called on the
	// goroutine of a scrape, where the usual way would list them all. Nil means the
	// usual way.
	Descriptors func() int

	// Version and Revision are the labels of build_info. Empty means "unknown".
	Version, Revision string
}

// Status is the part of the metrics that is a fact about the whole server at
// the moment of the scrape.
type Status struct {
	// ConnectionsLimit is the number of connections the server will hold.
	ConnectionsLimit int
	// Pairs is the number of pairs that are chatting.
	Pairs int
	// Pages is the number of connections that fetch pages, or have lately.
	Pages int
	// Away is the number of people whose connection was lost and whose seat is kept.
	Away int
	// Bans is the number of networks that are banned.
	Bans int
	// PeopleBanned and PeopleShadowed are those about whom moderators have decided so.
	PeopleBanned, PeopleShadowed int
	// RulesActed is how often each rule has acted, or would have, predecessors' included, in
	// the order of SafetyRules. Nil: never.
	RulesActed []uint64
	// ProofBits is how hard the proof of work is that newcomers are asked for; 0: they are
	// asked for none.
	ProofBits int
	// ReportsUndecided wait for moderators, since OldestUndecided; zero if none does.
	ReportsUndecided int
	OldestUndecided  time.Time
	// StateFree is how many bytes are free where the server keeps its state; NaN if it
	// keeps none.
	StateFree float64
	// People is how many the server knows.
	People int
	// OldestWait is when the client that has waited longest entered the pool;
	// zero when nobody waits, which is shown as 0.
	OldestWait time.Time
	// Cluster is about the nodes that the server belongs to.
	Cluster Cluster
	// Draining is true from the first moment of a shutdown.
	Draining bool
	// TLSHandshakesOpen is how many TLS handshakes are under way.
	TLSHandshakesOpen int
	// CertificateNotAfter is when the first of the certificates in use expires; zero
	// without any.
	CertificateNotAfter time.Time
	// CertificateLoads is how often certificates were read or obtained.
	CertificateLoads [LoadResults]uint64
	// Handovers is how many hand-overs there were, predecessors' included, and
	// HandoverFrozen how long everybody stood still in the last that succeeded.
	Handovers      [HandoverResults]uint64
	HandoverFrozen time.Duration
}

// NewRegistry returns a registry of its own (never the default one) with all
// metrics of the server and the usual process_* and go_* ones.
func NewRegistry(cfg Config) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		newCollector(cfg),
		collectors.NewGoCollector(),
		newProcessCollector(cfg.Descriptors),
	)
	return reg
}

// withDefaults returns cfg with every default applied.
func (cfg Config) withDefaults() Config {
	if cfg.Workers > 0 && cfg.Ask == nil {
		panic("metrics: workers, and no Config.Ask to reach them")
	}
	if cfg.Status == nil {
		cfg.Status = func() Status { return Status{} }
	}
	if cfg.AnswerTimeout == 0 {
		cfg.AnswerTimeout = defaultAnswerTimeout
	}
	cfg.Version = cmp.Or(cfg.Version, "unknown")
	cfg.Revision = cmp.Or(cfg.Revision, "unknown")
	return cfg
}

func goVersion() string { return runtime.Version() }
