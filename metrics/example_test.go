package metrics_test

import (
	"fmt"
	"net/http/httptest"
	"strings"

	"roulette/metrics"
)

// A worker owns its counters and answers scrapes between two batches of work.
func Example() {
	counters := metrics.NewCounters()
	mailbox := make(chan func(), 1)
	stopped := make(chan struct{})
	go func() { // the worker
		defer close(stopped)
		counters.RelayedMessages[metrics.OpcodeText]++
		for f := range mailbox {
			f()
		}
	}()

	reg := metrics.NewRegistry(metrics.Config{
		Workers: 1,
		Ask: func(worker int, take func(*metrics.Counters)) {
			mailbox <- func() { take(counters) }
		},
		Status: func() metrics.Status { return metrics.Status{ConnectionsLimit: 20000, Pairs: 1} },
	})
	response := httptest.NewRecorder()
	metrics.Handler(reg).ServeHTTP(response, httptest.NewRequest("GET", "/metrics", nil))
	close(mailbox)
	<-stopped

	for line := range strings.Lines(response.Body.String()) {
		if strings.HasPrefix(line, "roulette_relayed_messages_total") || strings.HasPrefix(line, "roulette_pairs ") {
			fmt.Print(line)
		}
	}
	// Output:
	// roulette_pairs 1
	// roulette_relayed_messages_total{opcode="binary"} 0
	// roulette_relayed_messages_total{opcode="text"} 1
}
