package server

import (
	"fmt"
	"os"
	"runtime"
	runtimemetrics "runtime/metrics"
	"strconv"
	"strings"
	"time"

	"roulette/metrics"
)

// status is how the server is, for the operator's page and as JSON. Times are in
// seconds, sizes in bytes.
type status struct {
	Version  string    `json:"version"`
	Revision string    `json:"revision"`
	Go       string    `json:"go"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Uptime   float64   `json:"uptime_seconds"`

	State string       `json:"state"` // ready, or why it is not
	Drain *drainStatus `json:"drain,omitempty"`

	Connections      int              `json:"connections"`
	ConnectionsLimit int              `json:"connections_limit"`
	ByState          map[string]int64 `json:"connections_by_state"`
	Pairs            int              `json:"pairs"`
	Waits            waitStatus       `json:"waits"`
	Backlog          backlogStatus    `json:"backlog"`
	Workers          []workerStatus   `json:"workers"`

	Descriptors      int          `json:"descriptors"`
	DescriptorsLimit int          `json:"descriptors_limit"`
	Memory           memoryStatus `json:"memory"`

	Settings  []setting `json:"settings"`
	LastLines []string  `json:"last_warnings_and_errors"` // newest first
}

type drainStatus struct {
	SentAway int     `json:"sent_away"`
	Of       int     `json:"of"`
	Spread   float64 `json:"spread_seconds"`
}

type waitStatus struct {
	Waiting int     `json:"waiting"`
	Oldest  float64 `json:"oldest_seconds"`
	P50     float64 `json:"p50_seconds"` // of all waits that have ended with a partner
	P95     float64 `json:"p95_seconds"`
}

type backlogStatus struct {
	Connections int64 `json:"connections"`
	Bytes       int64 `json:"bytes"`
}

type workerStatus struct {
	Index       int     `json:"index"`
	Answers     bool    `json:"answers"` // else the rest is not known
	Connections int     `json:"connections"`
	Busy        float64 `json:"busy"` // share of the last minute
	Events      uint64  `json:"events"`
}

type memoryStatus struct {
	RSS   int64  `json:"rss_bytes"`
	Heap  uint64 `json:"heap_bytes"`
	Limit uint64 `json:"gomemlimit_bytes"` // 0: none
}

// setting is one of the Settings in force.
type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// statusNow asks the workers, and waits for them no longer than for /healthz. It
// takes no lock of the byte path.
func (s *Server) statusNow() *status {
	now := time.Now()
	rules := s.Settings()
	st := &status{
		Version: s.config.Version, Revision: s.config.Revision, Go: runtime.Version(),
		PID: os.Getpid(), Started: s.started, Uptime: now.Sub(s.started).Seconds(),
		State:       s.NotReady(),
		Connections: s.poller.Count(), ConnectionsLimit: rules.MaxConnections,
		Pairs:            s.pairs.Pairs(),
		ByState:          make(map[string]int64),
		Descriptors:      openDescriptors(),
		DescriptorsLimit: s.most + reserve,
		Memory:           memoryNow(),
		Settings:         settingsInForce(rules),
	}
	if st.State == "" {
		st.State = "ready"
	}
	if d := s.drain.Load(); d != nil {
		st.Drain = &drainStatus{int(d.departed.Load()), d.total, d.spread.Seconds()}
	}
	var sum metrics.Counters
	sum.Init()
	st.Workers = s.askWorkers(&sum)
	for state, n := range sum.Connections {
		st.ByState[metrics.ConnectionState(state).String()] = max(n, 0)
	}
	st.Backlog = backlogStatus{max(sum.BacklogConnections, 0), max(sum.BacklogBytes, 0)}
	st.Waits = waitStatus{
		Waiting: s.pairs.Waiting(),
		P50:     sum.PairingWait.Quantile(0.5), P95: sum.PairingWait.Quantile(0.95),
	}
	if since := s.oldestWait(); !since.IsZero() {
		st.Waits.Oldest = now.Sub(since).Seconds()
	}
	if s.config.Recent != nil {
		st.LastLines = s.config.Recent.Lines()
	}
	return st
}

// askWorkers adds up what the workers have counted, and tells how each of them is.
func (s *Server) askWorkers(sum *metrics.Counters) []workerStatus {
	type report struct {
		status   workerStatus
		counters metrics.Counters
	}
	workers := s.poller.Workers()
	reports := make(chan *report, len(workers)) // all of them, so no worker waits here
	all := make([]workerStatus, len(workers))
	asked := 0
	for i, w := range workers {
		all[i] = workerStatus{Index: i}
		h := w.Handler().(*handler)
		if w.Ask(func() {
			r := &report{counters: *h.collect()}
			r.status = workerStatus{Index: i, Answers: true, Connections: w.Count(), Busy: h.busy.share(w.Now(), w.Stats().Busy), Events: r.counters.Events}
			reports <- r
		}) == nil {
			asked++
		}
	}
	timeout := time.NewTimer(answerTime)
	defer timeout.Stop()
	for range asked {
		select {
		case r := <-reports:
			all[r.status.Index] = r.status
			sum.Add(&r.counters)
		case <-timeout.C:
			return all
		}
	}
	return all
}

// settingsInForce lists them as a person would write them.
func settingsInForce(r Settings) []setting {
	number := func(n int) string {
		if n == 0 {
			return "no limit"
		}
		return strconv.Itoa(n)
	}
	origins := "the server's own host"
	if len(r.AllowedOrigins) > 0 {
		origins = strings.Join(r.AllowedOrigins, ", ")
	}
	proxies := "none"
	if len(r.TrustedProxies) > 0 {
		proxies = strings.Trim(fmt.Sprint(r.TrustedProxies), "[]")
	}
	share := "no limit"
	if r.MemoryShare > 0 {
		share = strconv.Itoa(r.MemoryShare) + " %"
	}
	return []setting{
		{"max-connections", number(r.MaxConnections)},
		{"max-connections-per-address", number(r.MaxConnectionsPerAddress)},
		{"handshakes-per-address", number(r.HandshakesPerAddress)},
		{"max-message-size", strconv.Itoa(r.MaxMessageSize)},
		{"message-rate", number(r.MessageRate)},
		{"message-burst", number(r.MessageBurst)},
		{"handshake-timeout", r.HandshakeTimeout.String()},
		{"ping-interval", r.PingInterval.String()},
		{"pong-timeout", r.PongTimeout.String()},
		{"stall-timeout", r.StallTimeout.String()},
		{"allowed-origins", origins},
		{"trusted-proxies", proxies},
		{"proxy-protocol", strconv.FormatBool(r.ProxyProtocol)},
		{"memory-share", share},
	}
}

// memoryNow is what the process uses.
func memoryNow() (m memoryStatus) {
	samples := []runtimemetrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/gomemlimit:bytes"}}
	runtimemetrics.Read(samples)
	m.Heap = samples[0].Value.Uint64()
	if limit := samples[1].Value.Uint64(); limit < 1<<62 { // which is how it says that there is none
		m.Limit = limit
	}
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := strings.Fields(string(statm)); len(fields) > 1 {
			pages, _ := strconv.ParseInt(fields[1], 10, 64)
			m.RSS = pages * int64(os.Getpagesize())
		}
	}
	return m
}

// busyMinute remembers how busy a worker was, every ten seconds for a minute.
// Owned by the worker.
type busyMinute struct {
	samples [7]struct {
		at   uint32 // Worker.Now
		busy time.Duration
	}
	count int // of samples; the newest is the last
}

const busyEvery = 10_000 // milliseconds

// note is called at each tick.
func (b *busyMinute) note(now uint32, busy time.Duration) {
	if b.count > 0 && now-b.samples[b.count-1].at < busyEvery {
		return
	}
	if b.count == len(b.samples) {
		copy(b.samples[:], b.samples[1:])
		b.count--
	}
	b.samples[b.count].at, b.samples[b.count].busy = now, busy
	b.count++
}

// share is the part of the time since the oldest sample that was busy.
func (b *busyMinute) share(now uint32, busy time.Duration) float64 {
	if b.count == 0 || now == b.samples[0].at {
		return 0
	}
	passed := time.Duration(now-b.samples[0].at) * time.Millisecond
	return min(max(float64(busy-b.samples[0].busy)/float64(passed), 0), 1)
}
