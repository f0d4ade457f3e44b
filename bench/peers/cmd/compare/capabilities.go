package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// capabilities are the benchmarks of package bench for what no peer has: TLS without a
// proxy, a partner on another node, reports, a resume, an upgrade by connections.
const capabilities = "^Benchmark(SecurePingPong|SecureHandshakes|Remote|Reports|Resume|Upgrade)$"

// compareCapabilities runs them round after round, and prints their table. What they
// print themselves goes to stderr as it is, for benchstat.
func compareCapabilities(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "compare")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	source, err := sourceOfRoulette(ctx)
	if err != nil {
		return err
	}
	binary := filepath.Join(dir, "bench.test")
	if err := run(ctx, source, "go", "test", "-c", "-o", binary, "./bench"); err != nil {
		return err
	}
	which := capabilities
	if o.only != "" {
		which = "^Benchmark(" + strings.ReplaceAll(o.only, ",", "|") + ")$"
	}
	var all measurements
	for range o.rounds {
		c := exec.CommandContext(ctx, binary, "-test.run=^$", "-test.bench="+which, "-test.benchtime="+o.duration.String(), "-test.timeout=0")
		c.Dir = filepath.Join(source, "bench")
		c.Stderr = os.Stderr
		out, err := c.StdoutPipe()
		if err != nil {
			return err
		}
		if err := c.Start(); err != nil {
			return err
		}
		all.read(io.TeeReader(out, os.Stderr))
		if err := c.Wait(); err != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
	fmt.Println(all.markdown(o))
	return nil
}

// measurements are what benchmarks have printed, in the order in which each came first.
type measurements struct {
	names  []measured
	values map[measured][]float64 // of each round
}

// measured is one figure of one benchmark.
type measured struct{ name, unit string }

// read takes the lines of benchmarks (go.dev/design/14313-benchmark-format), and passes
// over others.
func (m *measurements) read(from io.Reader) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 { // the number of processors
			name = name[:i]
		}
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil || v == 0 { // such as the time of an iteration that stands for nothing
				continue
			}
			m.add(measured{name, f[i+1]}, v)
		}
	}
}

func (m *measurements) add(to measured, v float64) {
	if m.values == nil {
		m.values = make(map[measured][]float64)
	}
	if m.values[to] == nil {
		m.names = append(m.names, to)
	}
	m.values[to] = append(m.values[to], v)
}

// base is the figure that to is set beside: the first that differs in the last of the
// name's settings alone. false: it is that one itself.
func (m *measurements) base(to measured) (measured, bool) {
	setting := func(name string) (rest, key string) {
		i := strings.LastIndexByte(name, '/')
		rest, last := name[:max(i, 0)], name[i+1:]
		key, _, _ = strings.Cut(last, "=")
		return rest, key
	}
	rest, key := setting(to.name)
	for _, other := range m.names {
		if r, k := setting(other.name); r == rest && k == key && other.unit == to.unit {
			return other, other != to
		}
	}
	return to, false
}

// markdown has the median of each figure and, in brackets, that of the rounds' ratios.
func (m *measurements) markdown(o options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s.\nMedians of %d rounds; in brackets the ratio to the first that differs in its last setting alone.\n\n",
		time.Now().Format("2 January 2006"), machine(), o.rounds)
	b.WriteString("| | | |\n|---|---:|---|\n")
	for _, name := range m.names {
		values := m.values[name]
		cell := strconv.FormatFloat(median(values), 'g', 4, 64)
		if base, ok := m.base(name); ok {
			var ratios []float64
			for i, v := range m.values[base] {
				if i < len(values) {
					ratios = append(ratios, values[i]/v)
				}
			}
			cell += fmt.Sprintf(" (%.2f)", median(ratios))
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name.name, cell, name.unit)
	}
	return b.String()
}
