// Package metrics counts what the server does and shows it to Prometheus.
//
// Each worker owns one [Counters]: plain integers, plain arrays and plain
// histograms, padded so that no cache line is shared with another worker. The
// byte path adds to them and does nothing else: no atomics, no locks, no label
// look-ups, no allocation. Once per scrape every worker is asked, through its
// own mailbox, to hand over a copy; the copies are summed and turned into
// Prometheus samples on the goroutine of the scrape.
//
//	worker 0 ──plain adds──► Counters 0 ──copy, when asked──┐
//	worker 1 ──plain adds──► Counters 1 ──copy, when asked──┤
//	   …                                                    ├─► collector ─► registry ─► /metrics
//	worker N ──plain adds──► Counters N ──copy, when asked──┤    sums, one
//	the server's Status (limit, pairs, draining, …) ────────┘    sample per
//	                                                             label value
//
// # Who may call what
//
//   - A [Counters] belongs to one goroutine, its worker. Nobody else reads or
//     writes it, also not at a scrape: [Config.Ask] brings the question to the
//     worker.
//   - [NewRegistry] and [Handler] are for start-up. What they return is safe
//     for any number of goroutines; scrapes are taken one at a time.
//   - Config.Ask and Config.Status are called on the goroutine of a scrape.
//
// # What a scrape promises
//
// The copies are taken at nearly the same moment, not at the same moment. A
// connection may belong to one worker and be paired by another, so a gauge of
// one worker can be negative; only the sum over workers means something, and a
// sum that is below zero for the length of one scrape is shown as zero.
// Counters never go backwards: a worker that does not answer in time is counted
// with its last copy, its own worker_* series pause, and the scrape reports an
// error (logged, and counted in promhttp_metric_handler_errors_total).
//
// All label values come from the closed lists in labels.go and exist, at zero,
// from the first scrape. Names, help texts and sources are the rows of one table
// in families.go. Bucket bounds and their reasons are in histogram.go.
//
// # What is made of them
//
// metrics/prometheus has a scrape configuration, recording rules and alerts, each
// tested by promtool; metrics/grafana a dashboard that shows every family and
// names the alert that goes by a panel. A test in cmd/roulette has a real
// Prometheus ask all of it of a running server.
//
// # Cost
//
// Measured with this package's benchmarks on two cores (ns, no allocations):
//
//	c.Accepted++                                  0.6
//	c.RelayedMessages[OpcodeText]++               1.0
//	c.Closed[CloseCodeOf(code)][ByClient]++       1.8
//	c.RelayLatency.Observe(ns)                    3.1
//	copy of one worker's counters at a scrape      18
//	for comparison: atomic add                    6.8
//	for comparison: prometheus.Counter.Inc        6.6
//	for comparison: WithLabelValues(…).Inc         36
//	for comparison: prometheus.Histogram.Observe   23
//
// A scrape of eight workers takes about 0.2 ms for the samples of this package
// and their text, and 0.3 ms more for go_* and process_*, on its own goroutine
// and however many connections there are.
//
// # Limitations
//
// The relay latency and what is known of the workers' loops is what the caller
// samples; the package does not sample by itself. There are no exemplars and no native histograms.
package metrics
