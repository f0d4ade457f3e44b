//go:build linux

package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// figures are what is looked at while the connections come, and once they have.
type figures struct {
	pid  int
	came time.Time // when the last had come; zero: not yet

	start map[string]int64 // bytes, as they were before the first
	seen  map[string]float64
}

func (f *figures) since() time.Duration {
	if f.came.IsZero() {
		return 0
	}
	return time.Since(f.came)
}

func (f *figures) messages() float64 { return f.seen["roulette_relayed_messages_total"] }

// look prints how things are with n connections.
func (f *figures) look(when string, n int) error {
	began := time.Now()
	var err error
	if f.seen, err = scrape(); err != nil {
		return fmt.Errorf("at %d connections: %w", n, err)
	}
	took := time.Since(began)
	now, err := f.memory()
	if err != nil {
		return err
	}
	if f.start == nil {
		f.start = now
	}
	each := func(name string) float64 { return float64(now[name]-f.start[name]) / float64(max(n, 1)) }
	say("%9d connections (%s)", n, when)
	say("  server's memory    %7.1f MB, %.1f MB of heap in use, %.0f B for each connection", mb(now["VmRSS:"]), f.seen["go_memstats_heap_inuse_bytes"]/1e6, each("VmRSS:"))
	say("  kernel's memory    %7.1f MB, %.0f B for each connection with its two sockets", mb(now["kernel"]), each("kernel"))
	say("  descriptors        %7.0f of %.0f", f.seen["process_open_fds"], f.seen["process_max_fds"])
	say("  scrape             %7.1f ms", float64(took)/1e6)
	say("  garbage collector  %7.0f runs, longest pause %.2f ms", f.seen["go_gc_duration_seconds_count"], f.seen[`go_gc_duration_seconds{quantile="1"}`]*1e3)
	return nil
}

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }

// memory is the server's, and the kernel's: all that is used and nobody's pages.
func (f *figures) memory() (map[string]int64, error) {
	m := make(map[string]int64)
	for _, file := range []string{fmt.Sprintf("/proc/%d/status", f.pid), "/proc/meminfo"} {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(b)) {
			if fields := strings.Fields(line); len(fields) == 3 && fields[2] == "kB" {
				kb, _ := strconv.ParseInt(fields[1], 10, 64)
				m[fields[0]] = kb << 10
			}
		}
	}
	m["kernel"] = m["MemTotal:"] - m["MemFree:"] - m["AnonPages:"] - m["Cached:"] - m["Buffers:"]
	return m, nil
}

// scrape asks the server for its metrics: the value of each series, and of each
// family the sum over its series.
func scrape() (map[string]float64, error) {
	r, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("metrics: %s", r.Status)
	}
	m := make(map[string]float64)
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		series, value, ok := strings.Cut(lines.Text(), " ")
		v, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			continue
		}
		m[series] = v
		if name, _, labels := strings.Cut(series, "{"); labels {
			m[name] += v
		}
	}
	return m, lines.Err()
}
