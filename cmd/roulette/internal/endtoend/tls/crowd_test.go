package tls

import (
	"testing"
	"time"

	"roulette/bench"
	"roulette/cmd/roulette/internal/servertest"
)

// TestCrowd: a crowd that is connected and says nothing has no goroutine in the server,
// and has left none, nor a descriptor, when it is gone (T1).
func TestCrowd(t *testing.T) {
	servertest.Parallel(t)
	s := serve(t)
	const crowd = 600
	goroutines := func() float64 { return s.Metric(t, "go_goroutines") }
	descriptors := func() float64 { return s.Metric(t, "process_open_fds") }
	alone, open := goroutines(), descriptors()
	const slack = 20 // of net/http, for who asks for metrics
	var during float64
	res, err := bench.Run(t.Context(), bench.Config{
		URL: "wss://" + s.addr + "/ws", TLS: s.ca.config("localhost"), Resume: true, Mode: bench.Idle, Connections: crowd,
		Duration: time.Second, Timeout: servertest.Patience, Begin: func() { during = goroutines() },
	})
	if err != nil || res.Err() != nil || res.Connected != crowd {
		t.Fatalf("%v %v: %d are connected", err, res.Err(), res.Connected)
	}
	if during > alone+slack {
		t.Errorf("%v goroutines with %d connections, %v before", during, crowd, alone)
	}
	servertest.Await(t, "the crowd to be gone", func() bool {
		return goroutines() <= alone+slack && descriptors() <= open+slack
	})
}
