package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// family is one metric name with all its label values.
type family struct {
	desc *prometheus.Desc
	emit func(ch chan<- prometheus.Metric, desc *prometheus.Desc, s *scrape)
}

// newFamilies returns the table of all metrics: name, help, source.
func newFamilies(cfg Config) []family {
	return append([]family{
		// Connections.
		gauges("connections", "Open connections by state.",
			"state", connectionStateLabels[:], func(s *scrape) []int64 { return s.sum.Connections[:] }),
		gauge("connections_limit", "Connections the server will hold at most.",
			func(s *scrape) float64 { return float64(s.status.ConnectionsLimit) }),
		counter("connections_accepted_total", "Sockets accepted.",
			func(c *Counters) uint64 { return c.Accepted }),
		counters("connections_rejected_total", "Accepted sockets that were refused a chat, by reason.",
			"reason", rejectReasonLabels[:], func(c *Counters) []uint64 { return c.Rejected[:] }),
		closed("connections_closed_total", "Connections ended, by close code (1006: TCP ended without a close frame) and by who ended them."),
		histogram("connection_duration_seconds", "Time from accept to close.",
			func(c *Counters) *Histogram { return &c.ConnectionDuration }),
		counters("accept_errors_total", "Errors of accept4 by errno; network stands for errors that were pending on the new socket.",
			"errno", acceptErrorLabels[:], func(c *Counters) []uint64 { return c.AcceptErrors[:] }),

		// Handshake.
		counters("handshakes_total", "Opening handshakes by result.",
			"result", handshakeResultLabels[:], func(c *Counters) []uint64 { return c.Handshakes[:] }),
		histogram("handshake_duration_seconds", "Time from accept to the response of the opening handshake.",
			func(c *Counters) *Histogram { return &c.HandshakeDuration }),

		gauge("page_connections", "Connections that fetch pages, or are kept for the next one.",
			func(s *scrape) float64 { return float64(s.status.Pages) }),

		// TLS.
		counters("tls_handshakes_total", "TLS handshakes by result.",
			"result", tlsResultLabels[:], func(c *Counters) []uint64 { return c.TLSHandshakes[:] }),
		histogram("tls_handshake_duration_seconds", "Time from the client's first record to the end of the TLS handshake, of those that succeeded.",
			func(c *Counters) *Histogram { return &c.TLSHandshakeDuration }),
		gauge("tls_handshakes_open", "TLS handshakes under way.",
			func(s *scrape) float64 { return float64(s.status.TLSHandshakesOpen) }),
		counter("tls_keys_found_total", "Records sealed or opened with a key that was expanded already.",
			func(c *Counters) uint64 { return c.TLSKeysFound }),
		counter("tls_keys_made_total", "Records whose key had to be expanded first.",
			func(c *Counters) uint64 { return c.TLSKeysMade }),
		gauge("tls_certificate_not_after_timestamp_seconds", "When the first of the certificates in use expires, in Unix time; 0 without any.",
			func(s *scrape) float64 { return unixSeconds(s.status.CertificateNotAfter) }),
		results("tls_certificate_loads_total", "Times the certificates were read or obtained, by result. After a failure the last ones stay in use.",
			loadResultLabels[:], func(s *Status) []uint64 { return s.CertificateLoads[:] }),

		// Pairing.
		gauge("pairs", "Pairs that are chatting.",
			func(s *scrape) float64 { return float64(s.status.Pairs) }),
		counter("pairs_created_total", "Pairs made.",
			func(c *Counters) uint64 { return c.PairsCreated }),
		counters("pairs_ended_total", "Pairs parted, by reason.",
			"reason", endReasonLabels[:], func(c *Counters) []uint64 { return c.PairsEnded[:] }),
		counter("pairs_skipped_total", "Pairs parted within 5 seconds because one of them wanted another partner.",
			func(c *Counters) uint64 { return c.PairsSkipped }),
		counter("waits_given_up_total", "Clients that stopped waiting, or left, before there was a partner.",
			func(c *Counters) uint64 { return c.WaitsGivenUp }),
		histogram("pairing_wait_seconds", "Time in the pool until a partner was found, one value per client.",
			func(c *Counters) *Histogram { return &c.PairingWait }),
		gauge("pairing_oldest_wait_timestamp_seconds", "When the client that has waited longest entered the pool, in Unix time; 0 when nobody waits.",
			func(s *scrape) float64 { return unixSeconds(s.status.OldestWait) }),
		histogram("pair_duration_seconds", "Time from pairing to parting.",
			func(c *Counters) *Histogram { return &c.PairDuration }),

		// Resume.
		counter("resume_breaks_total", "Connections lost whose seat was kept.",
			func(c *Counters) uint64 { return c.Breaks }),
		counters("resume_returns_total", "What came of wishes to have a seat back, and of seats that nobody came back to.",
			"result", returnResultLabels[:], func(c *Counters) []uint64 { return c.Returns[:] }),
		gauge("resume_away_seats", "People who are away and whose seat is kept.",
			func(s *scrape) float64 { return float64(s.status.Away) }),
		histogram("resume_away_seconds", "Time from the loss of a connection to the return, or to the end of the seat.",
			func(c *Counters) *Histogram { return &c.AwayDuration }),

		// Relay.
		counters("relayed_messages_total", "Messages passed on to a partner, by opcode.",
			"opcode", opcodeLabels[:], func(c *Counters) []uint64 { return c.RelayedMessages[:] }),
		counter("relayed_bytes_total", "Payload bytes of the messages passed on.",
			func(c *Counters) uint64 { return c.RelayedBytes }),
		counter("undelivered_messages_total", "Messages dropped because their sender had no partner.",
			func(c *Counters) uint64 { return c.UndeliveredMessages }),
		counter("network_receive_bytes_total", "Bytes read from sockets.",
			func(c *Counters) uint64 { return c.NetworkReceiveBytes }),
		counter("network_transmit_bytes_total", "Bytes written to sockets.",
			func(c *Counters) uint64 { return c.NetworkTransmitBytes }),
		histogram("relay_latency_seconds", "Time from the epoll_wait that reported a message to the write of it that the kernel accepted, sampled.",
			func(c *Counters) *Histogram { return &c.RelayLatency }),

		// Backpressure.
		gauge("send_backlog_bytes", "Bytes that wait for receivers to read.",
			func(s *scrape) float64 { return notNegative(s.sum.BacklogBytes) }),
		gauge("send_backlog_connections", "Connections that have bytes waiting for them.",
			func(s *scrape) float64 { return notNegative(s.sum.BacklogConnections) }),
		counter("read_pauses_total", "Times a sender was paused because its partner did not keep up.",
			func(c *Counters) uint64 { return c.ReadPauses }),
		counters("write_stalls_total", "Receivers that took nothing for a while, by how they went on.",
			"result", stallResultLabels[:], func(c *Counters) []uint64 { return c.WriteStalls[:] }),
		counters("limits_exceeded_total", "Times a client ran into a limit.",
			"limit", limitLabels[:], func(c *Counters) []uint64 { return c.LimitsExceeded[:] }),

		// Workers.
		gauge("workers", "Workers, each with an epoll of its own.",
			func(s *scrape) float64 { return float64(len(s.workers)) }),
		perWorker("worker_busy_seconds_total", "Time a worker spent serving events, extrapolated from a sample. Over 0.9 seconds a second it has no time left.",
			func(c *Counters) float64 { return float64(c.BusyNanoseconds) / float64(time.Second) }),
		perWorker("worker_wakeups_total", "Returns from epoll_wait, extrapolated from a sample.",
			func(c *Counters) float64 { return float64(c.Wakeups) }),
		perWorker("worker_events_total", "Events that epoll_wait returned.",
			func(c *Counters) float64 { return float64(c.Events) }),
		histogram("worker_events_per_wakeup", "Events per return from epoll_wait, extrapolated from a sample.",
			func(c *Counters) *Histogram { return &c.EventsPerWakeup }),

		// Hand-over.
		results("handover_attempts_total", "Live upgrades by result. They are counted on by the successor, as all counters are but those of the workers.",
			handoverResultLabels[:], func(s *Status) []uint64 { return s.Handovers[:] }),
		gauge("handover_frozen_seconds", "How long nobody was served in the last live upgrade; 0 without any.",
			func(s *scrape) float64 { return s.status.HandoverFrozen.Seconds() }),

		// Life.
		gauge("draining", "1 while the server drains.",
			func(s *scrape) float64 { return oneIf(s.status.Draining) }),
		buildInfo("build_info", "Always 1; which build this is.", cfg),
	}, append(clusterFamilies(), safetyFamilies()...)...)
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

// gauge is one value of the scrape.
func gauge(name, help string, value func(*scrape) float64) family {
	return family{describe(name, help), func(ch chan<- prometheus.Metric, desc *prometheus.Desc, s *scrape) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value(s))
	}}
}

// gauges is one value per value of a label.
func gauges(name, help, label string, labelValues []string, values func(*scrape) []int64) family {
	return family{describe(name, help, label), func(ch chan<- prometheus.Metric, desc *prometheus.Desc, s *scrape) {
		for i, v := range values(s) {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, notNegative(v), labelValues[i])
		}
	}}
}

// counter is one sum over all workers.
func counter(name, help string, value func(*Counters) uint64) family {
	return family{describe(name, help), func(ch chan<- prometheus.Metric, desc *prometheus.Desc, s *scrape) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value(&s.sum)))
	}}
}

// counters is one sum over all workers per value of a label.
func counters(name, help, label string, labelValues []string, values func(*Counters) []uint64) family {
	return family{describe(name, help, label), func(ch chan<- prometheus.Metric, desc *prometheus.Desc, s *scrape) {
		for i, v := range values(&s.sum) {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(v), labelValues[i])
		}
	}}
}

// results is what the server's Status counts, by result.
func results(name, help string, labelValues []string, values func(*Status) []uint64) family {
	return family{describe(name, help, "result"), func(ch chan<- prometheus.Metric, desc *prometheus.Desc, s *scrape) {
		for i, v := range values(&s.status) {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(v), labelValues[i])
		}
	}}
}

// closed is the one family with two labels.
func closed(name, help string) family {
	return family{describe(name, help, "code", "initiator"), func(ch chan<- prometheus.Metric, desc *prometheus.Desc, s *scrape) {
		for code := range s.sum.Closed {
			for by, v := range s.sum.Closed[code] {
				ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(v),
					closeCodeLabels[code], initiatorLabels[by])
			}
		}
	}}
}

// histogram is one histogram over all workers.
func histogram(name, help string, of func(*Counters) *Histogram) family {
	return family{describe(name, help), func(ch chan<- prometheus.Metric, desc *prometheus.Desc, s *scrape) {
		h := of(&s.sum)
		ch <- prometheus.MustNewConstHistogram(desc, h.Count(), h.Sum(), h.cumulative())
	}}
}

// perWorker is one counter for each worker that answered: one that is stuck
// shows a gap rather than a worker that looks idle.
func perWorker(name, help string, value func(*Counters) float64) family {
	return family{describe(name, help, "worker"), func(ch chan<- prometheus.Metric, desc *prometheus.Desc, s *scrape) {
		for i := range s.workers {
			if s.answered[i] {
				ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, value(&s.workers[i]), strconv.Itoa(i))
			}
		}
	}}
}

// buildInfo is the constant 1 with the build in its labels.
func buildInfo(name, help string, cfg Config) family {
	desc := describe(name, help, "version", "revision", "goversion")
	metric := prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, 1, cfg.Version, cfg.Revision, goVersion())
	return family{desc, func(ch chan<- prometheus.Metric, _ *prometheus.Desc, _ *scrape) { ch <- metric }}
}

// notNegative hides that the workers' copies are not of one instant.
func notNegative(v int64) float64 { return float64(max(v, 0)) }

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// unixSeconds returns t in Unix time, and 0 for the zero time.
func unixSeconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
