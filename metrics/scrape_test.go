package metrics

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loop is a worker as the server has them: one goroutine that owns its counters
// and a mailbox.
type loop struct {
	counters Counters
	mailbox  chan func()
}

func (l *loop) run(stop <-chan struct{}) {
	l.counters.Init()
	for {
		select {
		case ask := <-l.mailbox:
			ask()
		case <-stop:
			return
		default:
			l.counters.RelayedMessages[OpcodeText]++
			l.counters.RelayedBytes += 64
			l.counters.RelayLatency.Observe(12000)
			runtime.Gosched() // more workers than processors, perhaps
		}
	}
}

func (l *loop) ask(take func(*Counters)) { l.mailbox <- func() { take(&l.counters) } }

func startLoops(t testing.TB, n int) Config {
	loops := make([]loop, n)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range loops {
		loops[i].mailbox = make(chan func(), 64)
		wg.Go(func() { loops[i].run(stop) })
	}
	t.Cleanup(func() { close(stop); wg.Wait() })
	return Config{Workers: n, Ask: func(i int, take func(*Counters)) { loops[i].ask(take) }}
}

// Scrapes from several goroutines, through mailboxes, while the workers count
// without atomics or locks: clean under the race detector, nothing goes
// backwards, and each worker's copy is of one instant.
func TestScrapeWhileWorkersCount(t *testing.T) {
	cfg := startLoops(t, 4)
	reg := NewRegistry(cfg)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			var before float64
			for range 50 {
				families := gather(t, reg)
				messages := find(t, families, `relayed_messages_total{opcode="text"}`)
				if messages < before {
					t.Errorf("counter went from %v to %v", before, messages)
				}
				before = messages
				if n := find(t, families, "relayed_bytes_total"); n != 64*messages {
					t.Errorf("%v messages of 64 bytes are %v bytes", messages, n)
				}
				if n := find(t, families, "relay_latency_seconds"); n != messages {
					t.Errorf("%v messages, %v latencies", messages, n)
				}
			}
		})
	}
	wg.Wait()
}

// A worker that does not answer is shown with its last copy, without worker_*
// series, and as an error; its late answer harms nobody.
func TestWorkerThatDoesNotAnswer(t *testing.T) {
	workers := []*Counters{NewCounters(), NewCounters()}
	workers[0].Accepted = 10
	workers[1].Accepted = 5
	stuck := false
	var late func(*Counters)
	cfg := Config{Workers: 2, AnswerTimeout: time.Millisecond, Ask: func(worker int, take func(*Counters)) {
		if worker == 1 && stuck {
			late = take
			return
		}
		take(workers[worker])
	}}
	reg := NewRegistry(cfg)
	if n := find(t, gather(t, reg), "connections_accepted_total"); n != 15 {
		t.Fatalf("%v accepted, want 15", n)
	}

	stuck = true
	workers[0].Accepted = 11
	workers[1].Accepted = 6
	var log bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(old)
	for range 2 {
		response := httptest.NewRecorder()
		Handler(reg).ServeHTTP(response, httptest.NewRequest("GET", "/metrics", nil))
		body := response.Body.String()
		if response.Code != http.StatusOK || !strings.Contains(body, "roulette_connections_accepted_total 16\n") {
			t.Errorf("status %d, and not the last copy of the stuck worker", response.Code)
		}
		if !strings.Contains(body, `roulette_worker_wakeups_total{worker="0"} 0`) ||
			strings.Contains(body, `roulette_worker_wakeups_total{worker="1"}`) {
			t.Error("want worker_* of worker 0 only")
		}
	}
	if !strings.Contains(log.String(), "worker 1 gave no counters within 1ms") {
		t.Errorf("log: %s", &log)
	}

	late(workers[1])
	stuck = false
	families := gather(t, reg)
	if n := find(t, families, "connections_accepted_total"); n != 17 {
		t.Errorf("%v accepted after recovery, want 17", n)
	}
	failures := families["promhttp_metric_handler_errors_total"]
	found := false
	for _, m := range failures.GetMetric() {
		found = found || series(m) == `{cause="gathering"}` && value(m) == 2
	}
	if !found {
		t.Errorf("errors not counted: %v", failures)
	}
}

// The real thing over a real socket, in both formats, parsed as Prometheus does.
func TestHandlerOverSocket(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := startLoops(t, 2)
	server := &http.Server{Handler: Handler(NewRegistry(cfg)), ReadHeaderTimeout: time.Minute}
	served := make(chan error)
	go func() { served <- server.Serve(listener) }()
	defer func() { server.Close(); <-served }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

	for _, tt := range []struct{ description, accept, contentType string }{
		{"text", "", "text/plain"},
		{"OpenMetrics", "application/openmetrics-text;version=1.0.0", "application/openmetrics-text"},
	} {
		t.Run(tt.description, func(t *testing.T) {
			request, err := http.NewRequest("GET", "http://"+listener.Addr().String()+"/metrics", nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.accept != "" {
				request.Header.Set("Accept", tt.accept)
			}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || response.StatusCode != http.StatusOK {
				t.Fatalf("%s, %v", response.Status, err)
			}
			if ct := response.Header.Get("Content-Type"); !strings.HasPrefix(ct, tt.contentType) {
				t.Errorf("content type %q", ct)
			}
			if tt.accept != "" {
				// expfmt parses the older format only.
				if !bytes.HasSuffix(body, []byte("# EOF\n")) ||
					!bytes.Contains(body, []byte("# TYPE roulette_connections_accepted counter\n")) {
					t.Errorf("not OpenMetrics: …%q", body[max(0, len(body)-100):])
				}
				return
			}
			parser := expfmt.NewTextParser(model.UTF8Validation)
			families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if n := find(t, families, "workers"); n != 2 {
				t.Errorf("%v workers", n)
			}
			h := families["roulette_relay_latency_seconds"].GetMetric()[0].GetHistogram()
			if len(h.GetBucket()) != relayLatencyLayout.bounded+1 {
				t.Errorf("%d buckets", len(h.GetBucket()))
			}
			for _, b := range h.GetBucket() {
				// All observations are of 12 µs.
				want := h.GetSampleCount()
				if b.GetUpperBound() < 12e-6 {
					want = 0
				}
				if b.GetCumulativeCount() != want {
					t.Errorf("le=%v: %d, want %d", b.GetUpperBound(), b.GetCumulativeCount(), want)
				}
			}
		})
	}
}
