package metrics

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
)

// direct is a Config whose workers answer on the spot.
func direct(workers ...*Counters) Config {
	return Config{
		Workers: len(workers),
		Ask:     func(worker int, take func(*Counters)) { take(workers[worker]) },
	}
}

// gather returns the families of a scrape by name.
func gather(t testing.TB, g prometheus.Gatherer) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[string]*dto.MetricFamily)
	for _, f := range families {
		m[f.GetName()] = f
	}
	return m
}

// series returns the labels of a metric as {a="b",c="d"}, or "".
func series(m *dto.Metric) string {
	var pairs []string
	for _, l := range m.GetLabel() {
		pairs = append(pairs, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	if pairs == nil {
		return ""
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

// value returns the value of a counter or gauge, and the count of a histogram.
func value(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	}
	return float64(m.Histogram.GetSampleCount())
}

// find returns the value of one series, such as pairs_ended_total{reason="next"}.
func find(t testing.TB, families map[string]*dto.MetricFamily, want string) float64 {
	t.Helper()
	name, _, _ := strings.Cut(want, "{")
	for _, m := range families["roulette_"+name].GetMetric() {
		if name+series(m) == want {
			return value(m)
		}
	}
	t.Errorf("no series %s", want)
	return 0
}

func TestLint(t *testing.T) {
	reg := NewRegistry(direct(NewCounters(), NewCounters()))
	Handler(reg) // adds a metric of its own
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// What is emitted is what was described, with consistent labels.
func TestPedantic(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(newCollector(direct(NewCounters(), NewCounters())))
	if _, err := reg.Gather(); err != nil {
		t.Fatal(err)
	}
}

// The whole set, with every label value, is there before anything happened.
func TestEverySeriesAtStart(t *testing.T) {
	labelled := map[string]struct {
		label  string
		values string
	}{
		"connections":                {"state", "handshaking idle waiting paired closing"},
		"connections_rejected_total": {"reason", "max_connections per_address handshake_rate origin draining fd_limit memory proxy_header pages banned plain"},
		"accept_errors_total":        {"errno", "EMFILE ENFILE ECONNABORTED ENOBUFS ENOMEM EPERM network other"},
		"handshakes_total":           {"result", "ok bad_request timeout too_large origin not_found"},
		"tls_handshakes_total": {"result", "ok resumed challenge plain_http not_tls version too_large early_data " +
			"protocol name refused gone timeout busy failed"},
		"tls_certificate_loads_total": {"result", "ok failed"},
		"pairs_ended_total":           {"reason", "next stop disconnected stalled kicked closed"},
		"relayed_messages_total":      {"opcode", "text binary"},
		"write_stalls_total":          {"result", "recovered closed"},
		"limits_exceeded_total":       {"limit", "message_size message_rate control_rate"},
		"worker_busy_seconds_total":   {"worker", "0 1"},
		"worker_wakeups_total":        {"worker", "0 1"},
		"worker_events_total":         {"worker", "0 1"},
		"handover_attempts_total":     {"result", "done failed"},
		"safety_reports_total":        {"result", "taken untrue late twice too_many lost"},
		"safety_rules_acted_total":    {"rule", "reported reported_often speaks_at_once left_at_once network_speaks_at_once client_speaks_at_once"},
		"safety_proofs_total":         {"result", "asked right wrong foreign busy"},
		"resume_returns_total":        {"result", "back met older refused lapsed"},
		"cluster_offers_total":        {"result", "accepted declined expired aborted"},
		"cluster_words_total":         {"direction", "in out"},
		"cluster_bytes_total":         {"direction", "in out"},
		"cluster_refused_words_total": {"reason", "malformed strange stale repeated"},
	}
	plain := strings.Fields(`connections_limit connections_accepted_total connection_duration_seconds
		handshake_duration_seconds pairs pairs_created_total pairing_wait_seconds
		pairing_oldest_wait_timestamp_seconds pair_duration_seconds resume_breaks_total
		cluster_nodes cluster_connected cluster_people cluster_chats cluster_meetings_total
		cluster_credit_stalls_total cluster_losses_total
		page_connections resume_away_seats resume_away_seconds handover_frozen_seconds safety_bans safety_people_banned safety_people_shadowed safety_reports_undecided safety_oldest_report_timestamp_seconds safety_people state_free_bytes safety_proof_difficulty safety_blocks_total relayed_bytes_total
		undelivered_messages_total network_receive_bytes_total network_transmit_bytes_total
		relay_latency_seconds send_backlog_bytes send_backlog_connections read_pauses_total
		workers worker_events_per_wakeup draining tls_handshake_duration_seconds tls_handshakes_open
		tls_keys_found_total tls_keys_made_total tls_certificate_not_after_timestamp_seconds pairs_skipped_total waits_given_up_total`)

	var want []string
	want = append(want, plain...)
	for name, l := range labelled {
		for _, v := range strings.Fields(l.values) {
			want = append(want, fmt.Sprintf("%s{%s=%q}", name, l.label, v))
		}
	}
	for _, code := range strings.Fields("1000 1001 1002 1005 1006 1007 1009 4408 4409 4429 4453 4503 other") {
		for _, by := range []string{"client", "server"} {
			want = append(want, fmt.Sprintf("connections_closed_total{code=%q,initiator=%q}", code, by))
		}
	}
	cfg := direct(NewCounters(), NewCounters())
	cfg.Version, cfg.Revision = "v1.2.3", "abc"
	want = append(want, fmt.Sprintf(`build_info{goversion=%q,revision="abc",version="v1.2.3"}`, runtime.Version()))

	var got []string
	families := gather(t, NewRegistry(cfg))
	for name, f := range families {
		name, ours := strings.CutPrefix(name, "roulette_")
		if !ours {
			continue
		}
		for _, m := range f.GetMetric() {
			got = append(got, name+series(m))
			expected := 0.0
			switch name {
			case "workers":
				expected = 2
			case "build_info":
				expected = 1
			}
			if v := value(m); v != expected {
				t.Errorf("%s%s is %v at the start", name, series(m), v)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	for _, s := range got {
		if !slices.Contains(want, s) {
			t.Errorf("unexpected %s", s)
		}
	}
	for _, s := range want {
		if !slices.Contains(got, s) {
			t.Errorf("missing %s", s)
		}
	}
	for _, name := range []string{"process_open_fds", "process_cpu_seconds_total", "go_goroutines", "go_gc_duration_seconds"} {
		if families[name] == nil {
			t.Errorf("missing %s", name)
		}
	}
}

// Each number of Counters reaches a series: whatever is set makes the scrape
// differ from the one at the start.
func TestEveryCounterIsShown(t *testing.T) {
	reason := func(name string, labels []string, i int) string {
		label := map[string]string{"connections": "state", "accept_errors_total": "errno", "handshakes_total": "result",
			"write_stalls_total": "result", "limits_exceeded_total": "limit", "relayed_messages_total": "opcode"}[name]
		if label == "" {
			label = "reason"
		}
		return fmt.Sprintf("%s{%s=%q}", name, label, labels[i])
	}
	c := NewCounters()
	fill(c, 100)
	want := map[string]float64{
		"connections_accepted_total":            float64(c.Accepted),
		"relayed_bytes_total":                   float64(c.RelayedBytes),
		"undelivered_messages_total":            float64(c.UndeliveredMessages),
		"network_receive_bytes_total":           float64(c.NetworkReceiveBytes),
		"network_transmit_bytes_total":          float64(c.NetworkTransmitBytes),
		"read_pauses_total":                     float64(c.ReadPauses),
		"send_backlog_bytes":                    float64(c.BacklogBytes),
		"send_backlog_connections":              float64(c.BacklogConnections),
		"pairs_created_total":                   float64(c.PairsCreated),
		"pairs_skipped_total":                   float64(c.PairsSkipped),
		"waits_given_up_total":                  float64(c.WaitsGivenUp),
		`worker_busy_seconds_total{worker="0"}`: float64(c.BusyNanoseconds) / 1e9,
		`worker_wakeups_total{worker="0"}`:      float64(c.Wakeups),
		`worker_events_total{worker="0"}`:       float64(c.Events),
		"connection_duration_seconds":           float64(c.ConnectionDuration.Count()),
		"handshake_duration_seconds":            float64(c.HandshakeDuration.Count()),
		"pairing_wait_seconds":                  float64(c.PairingWait.Count()),
		"pair_duration_seconds":                 float64(c.PairDuration.Count()),
		"relay_latency_seconds":                 float64(c.RelayLatency.Count()),
		"worker_events_per_wakeup":              float64(c.EventsPerWakeup.Count()),
	}
	for i, v := range c.Connections {
		want[reason("connections", connectionStateLabels[:], i)] = float64(v)
	}
	for i, v := range c.Rejected {
		want[reason("connections_rejected_total", rejectReasonLabels[:], i)] = float64(v)
	}
	for i, v := range c.AcceptErrors {
		want[reason("accept_errors_total", acceptErrorLabels[:], i)] = float64(v)
	}
	for i, v := range c.Handshakes {
		want[reason("handshakes_total", handshakeResultLabels[:], i)] = float64(v)
	}
	for i, v := range c.PairsEnded {
		want[reason("pairs_ended_total", endReasonLabels[:], i)] = float64(v)
	}
	for i, v := range c.RelayedMessages {
		want[reason("relayed_messages_total", opcodeLabels[:], i)] = float64(v)
	}
	for i, v := range c.WriteStalls {
		want[reason("write_stalls_total", stallResultLabels[:], i)] = float64(v)
	}
	for i, v := range c.LimitsExceeded {
		want[reason("limits_exceeded_total", limitLabels[:], i)] = float64(v)
	}
	for code := range c.Closed {
		for by, v := range c.Closed[code] {
			want[fmt.Sprintf("connections_closed_total{code=%q,initiator=%q}", CloseCode(code), Initiator(by))] = float64(v)
		}
	}
	families := gather(t, NewRegistry(direct(c)))
	for name, v := range want {
		if got := find(t, families, name); got != v {
			t.Errorf("%s is %v, want %v", name, got, v)
		}
	}
}

func TestSumsOverWorkers(t *testing.T) {
	a, b := NewCounters(), NewCounters()
	a.Accepted = 3
	b.Accepted = 9
	b.Handshakes[HandshakeNotFound] = 6
	// Accepted by a, paired and then half ended on b: only the sum means something.
	a.Connections[ConnectionPaired] = -2
	b.Connections[ConnectionPaired] = 9
	b.Connections[ConnectionIdle] = -1 // copies of two instants
	a.SetLoad(2, time.Second, []float64{1: 1, 11: 0})
	b.SetLoad(3, 2*time.Second, []float64{2: 1, 11: 0})
	families := gather(t, NewRegistry(direct(a, b)))
	for name, want := range map[string]float64{
		"connections_accepted_total":            12,
		`handshakes_total{result="not_found"}`:  6,
		`connections{state="paired"}`:           7,
		`connections{state="idle"}`:             0,
		`worker_busy_seconds_total{worker="0"}`: 1,
		`worker_busy_seconds_total{worker="1"}`: 2,
		`worker_events_total{worker="1"}`:       3,
		"worker_events_per_wakeup":              2,
	} {
		if got := find(t, families, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestStatusIsShown(t *testing.T) {
	calls := 0
	cfg := Config{Status: func() Status {
		calls++
		return Status{ConnectionsLimit: 20000, Pairs: 7, OldestWait: time.Unix(1700000000, 5e8), Draining: true}
	}}
	families := gather(t, NewRegistry(cfg))
	for name, want := range map[string]float64{
		"connections_limit": 20000, "pairs": 7, "draining": 1, "workers": 0,
		"pairing_oldest_wait_timestamp_seconds": 1700000000.5,
	} {
		if got := find(t, families, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if calls != 1 {
		t.Errorf("%d calls of Status in one scrape", calls)
	}
}
