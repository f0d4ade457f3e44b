package server

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/servertest"
)

// TestHealthzAsksTheWorkers: a process whose worker is stuck does not live.
func TestHealthzAsksTheWorkers(t *testing.T) {
	servertest.Parallel(t)
	s, _ := start(t, Config{Workers: 3})
	if w := page(s, "/healthz"); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	stuck := make(chan struct{})
	if err := s.poller.Workers()[1].Ask(func() { <-stuck }); err != nil {
		t.Fatal(err)
	}
	if w := page(s, "/healthz"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "workers [1]") {
		t.Errorf("with a worker that is stuck: %d %s", w.Code, w.Body)
	}
	close(stuck)
	servertest.Await(t, "it to live", func() bool { return page(s, "/healthz").Code == http.StatusOK })
}

func TestReadyz(t *testing.T) {
	servertest.CheckLeaks(t)
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := func(status int, why string) {
		t.Helper()
		if w := page(s, "/readyz"); w.Code != status || w.Body.String() != why+"\n" {
			t.Errorf("%d %s, want %s", w.Code, w.Body, why)
		}
	}
	want(http.StatusServiceUnavailable, "starting")
	if _, err := s.Listen(netip.MustParseAddrPort("127.0.0.1:0")); err != nil {
		t.Fatal(err)
	}
	want(http.StatusServiceUnavailable, "starting") // there may be more to come
	s.Started()
	want(http.StatusOK, "ready")

	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	w := page(s, "/readyz")
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusServiceUnavailable || w.Body.String() != "descriptors\n" {
		t.Errorf("without a descriptor: %d %s", w.Code, w.Body)
	}
	want(http.StatusOK, "ready")
}
