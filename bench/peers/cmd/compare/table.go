package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"roulette/bench"
)

// table gathers the figures: one for each server, column and round.
type table struct {
	servers []server
	tests   []test
	figures map[figure]float64
	rounds  int

	bound, boundTitle string // what ratios are taken of
}

type figure struct {
	server, test, title string
	round               int
}

func newTable(servers []server, tests []test) *table {
	return &table{
		servers: servers, tests: tests, figures: make(map[figure]float64),
		bound: bound, boundTitle: "the relay in C",
	}
}

func (t *table) add(round int, s server, test test, r *bench.Result) {
	t.rounds = max(t.rounds, round+1)
	for _, m := range test.metrics {
		t.figures[figure{s.name, test.name, m.title, round}] = m.value(r)
	}
}

// cell is the median of the rounds and, in brackets, that of the ratios.
func (t *table) cell(s server, test test, m metric) string {
	var values, ratios []float64
	for round := range t.rounds {
		v, ok := t.figures[figure{s.name, test.name, m.title, round}]
		if !ok {
			continue
		}
		values = append(values, v)
		if b := t.figures[figure{t.bound, test.name, m.title, round}]; b != 0 && s.name != t.bound {
			ratios = append(ratios, v/b)
		}
	}
	if len(values) == 0 {
		return "–"
	}
	c := number(median(values), m.digits)
	if len(ratios) > 0 {
		c += fmt.Sprintf(" (%.2f)", median(ratios))
	}
	return c
}

func (t *table) markdown(o options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s.\nMedians of %d interleaved rounds of %v; in brackets the ratio to %s. "+
		"%d connections unless the column says otherwise, %s messages, ",
		time.Now().Format("2 January 2006"), machine(), t.rounds, o.duration, t.boundTitle, o.conns, o.text)
	if o.pin {
		b.WriteString("server on one CPU and generator on another, latency unpinned.\n\n")
	} else {
		b.WriteString("nothing pinned.\n\n")
	}
	b.WriteString("| server |")
	rule := "|---|"
	for _, test := range t.tests {
		for _, m := range test.metrics {
			fmt.Fprintf(&b, " %s: %s |", test.name, m.title)
			rule += "---:|"
		}
	}
	b.WriteString("\n" + rule + "\n")
	for _, s := range t.servers {
		fmt.Fprintf(&b, "| %s |", s.title)
		for _, test := range t.tests {
			for _, m := range test.metrics {
				fmt.Fprintf(&b, " %s |", t.cell(s, test, m))
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// number writes v with commas between the thousands.
func number(v float64, digits int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return sign + whole
}

// machine names the processor, the kernel and the compiler.
func machine() string {
	cpu := runtime.GOARCH
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if k, v, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(k) == "model name" {
				cpu = strings.TrimSpace(v)
				break
			}
		}
	}
	kernel := "Linux"
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		// The version without what a distribution adds.
		release, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-")
		kernel += " " + release
	}
	return fmt.Sprintf("%d CPUs (%s), %s, %s", runtime.NumCPU(), cpu, kernel, runtime.Version())
}
