package server

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"roulette/cmd/roulette/internal/admin"
	"roulette/cmd/roulette/internal/host"
	"roulette/metrics"
)

// report asks the workers, and waits for them no longer than for /healthz. It
// takes no lock of the byte path.
func (s *Server) report() *admin.Report {
	now := time.Now()
	rules := s.Settings()
	r := &admin.Report{
		Version: s.config.Version, Revision: s.config.Revision, Go: runtime.Version(),
		PID: os.Getpid(), Started: s.started, Uptime: now.Sub(s.started).Seconds(),
		State:       s.NotReady(),
		Connections: s.poller.Count(), ConnectionsLimit: rules.MaxConnections,
		Addresses:        s.addresses.Known(),
		Bans:             s.bans.InForce(),
		Pairs:            s.pairs.Pairs(),
		Away:             s.breaks.away(),
		Cluster:          s.cluster.report(),
		ByState:          make(map[string]int64),
		Descriptors:      host.OpenDescriptors(),
		DescriptorsLimit: s.most + reserve,
		Memory:           admin.Memory(host.MemoryNow()),
		Settings:         append(settingsInForce(rules), s.config.TLS.status()...),
	}
	if r.State == "" {
		r.State = "ready"
	}
	if l := s.lineage.Load(); l != nil {
		r.TookOver = &admin.TookOver{From: l.From, At: l.At, Frozen: l.Frozen.Seconds()}
	}
	if d := s.drain.Load(); d != nil {
		r.Drain = &admin.Drain{SentAway: int(d.departed.Load()), Of: d.total, Spread: d.spread.Seconds()}
	}
	var sum metrics.Counters
	sum.Init()
	var before metrics.Histogram
	r.Workers, r.History, before = s.askWorkers(&sum)
	for state, n := range sum.Connections {
		r.ByState[metrics.ConnectionState(state).String()] = max(n, 0)
	}
	r.Backlog = admin.Backlog{Connections: max(sum.BacklogConnections, 0), Bytes: max(sum.BacklogBytes, 0)}
	waits := sum.PairingWait.Since(&before)
	r.Waits = admin.Waits{
		Waiting: s.pairs.Waiting(),
		Ended:   waits.Count(), P50: waits.Quantile(0.5), P95: waits.Quantile(0.95),
	}
	r.Returned = sum.Returns[metrics.ReturnBack] + sum.Returns[metrics.ReturnMet]
	for reason, n := range sum.Rejected {
		if n > 0 {
			r.Refused = append(r.Refused, admin.Refusal{Reason: metrics.RejectReason(reason).String(), Number: n})
		}
	}
	if since := s.oldestWait(); !since.IsZero() {
		r.Waits.Oldest = now.Sub(since).Seconds()
	}
	return r
}

// askWorkers adds up what the workers have counted, and tells how each of them is,
// how all have been in the last minutes, and what waits they had counted before.
func (s *Server) askWorkers(sum *metrics.Counters) (all []admin.Worker, history []admin.Point, before metrics.Histogram) {
	type report struct {
		status   admin.Worker
		counters metrics.Counters
		history  *admin.History
		now      uint32 // Worker.Now
	}
	workers := s.poller.Workers()
	reports := make(chan *report, len(workers)) // all of them, so no worker waits here
	all = make([]admin.Worker, len(workers))
	asked := 0
	for i, w := range workers {
		all[i] = admin.Worker{Index: i}
		h := w.Handler().(*handler)
		if w.Ask(func() {
			answer := &report{counters: *h.collect(), history: h.history.Copy(), now: w.Now()}
			answer.status = admin.Worker{Index: i, Answers: true, Connections: w.Count(), Events: answer.counters.Events,
				Busy: h.history.BusyShare(w.Now(), w.Stats().Busy)}
			reports <- answer
		}) == nil {
			asked++
		}
	}
	timeout := time.NewTimer(admin.AnswerTime)
	defer timeout.Stop()
	var histories []*admin.History
	var now uint32
answers:
	for range asked {
		select {
		case answer := <-reports:
			all[answer.status.Index] = answer.status
			sum.Add(&answer.counters)
			histories, now = append(histories, answer.history), max(now, answer.now)
		case <-timeout.C:
			break answers
		}
	}
	history, before = admin.Merge(now, histories)
	return all, history, before
}

// noteHistory remembers, at a tick, how the worker is.
func (h *handler) noteHistory() {
	now := h.worker.Now()
	if !h.history.Due(now) {
		return
	}
	s := admin.Sample{
		Busy:        h.worker.Stats().Busy,
		Accepted:    h.counters.Accepted,
		Waits:       h.counters.PairingWait,
		Connections: h.worker.Count(),
	}
	for _, n := range h.counters.RelayedMessages {
		s.Messages += n
	}
	for _, n := range h.counters.Rejected {
		s.Refused += n
	}
	if h.worker.Index() == 0 { // the table is no worker's
		s.Pairs, s.Waiting = h.server.pairs.Pairs(), h.server.pairs.Waiting()
	}
	h.history.Note(now, s)
}

// settingsInForce lists them as a person would write them.
func settingsInForce(r Settings) []admin.Setting {
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
	return []admin.Setting{
		{Name: "max-connections", Value: number(r.MaxConnections)},
		{Name: "max-connections-per-address", Value: number(r.MaxConnectionsPerAddress)},
		{Name: "handshakes-per-address", Value: number(r.HandshakesPerAddress)},
		{Name: "max-message-size", Value: strconv.Itoa(r.MaxMessageSize)},
		{Name: "message-rate", Value: number(r.MessageRate)},
		{Name: "message-burst", Value: number(r.MessageBurst)},
		{Name: "handshake-timeout", Value: r.HandshakeTimeout.String()},
		{Name: "ping-interval", Value: r.PingInterval.String()},
		{Name: "pong-timeout", Value: r.PongTimeout.String()},
		{Name: "hidden-timeout", Value: r.HiddenTimeout.String()},
		{Name: "stall-timeout", Value: r.StallTimeout.String()},
		{Name: "allowed-origins", Value: origins},
		{Name: "trusted-proxies", Value: proxies},
		{Name: "proxy-protocol", Value: strconv.FormatBool(r.ProxyProtocol)},
		{Name: "memory-share", Value: share},
	}
}
