// Command compare builds the relays of this module and the server itself, measures
// them beside each other and prints the table that stands in bench/README.md.
//
//	cd bench/peers
//	go run ./cmd/compare                                       everything, three rounds
//	go run ./cmd/compare --servers epoll,roulette --tests pingpong --rounds 1
//	go run ./cmd/compare --wss --tests pingpong,stream16k,latency,handshakes,resumed,idle
//	go run ./cmd/compare --capabilities                        what no peer has, as benchmarks
//	go run ./cmd/compare --extra 'mine=/usr/local/bin/mine --port {port}'
//
// The rounds are interleaved: in each, every test is run against one server after
// the other, in an order that turns from round to round, so that what else the
// machine does falls on all of them. Each run has a server process of its own. A
// figure is the median of the rounds; a ratio is the median of the rounds' ratios
// to the lower bound, the relay in C.
//
// Servers run on CPU 0 and the generator on CPU 1, except where latency is measured
// and with --pin=false.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"roulette/bench"
)

// options are the flags.
type options struct {
	rounds, conns, rate int
	duration            time.Duration
	pin, wss            bool
	capabilities        bool
	text                bench.Text
	only, tests, json   string
	extra               []string
}

func main() {
	o := options{text: bench.ASCII}
	flag.IntVar(&o.rounds, "rounds", 3, "interleaved rounds")
	flag.IntVar(&o.conns, "conns", 1000, "connections of the tests with traffic")
	flag.IntVar(&o.rate, "rate", 20000, "messages a second of the latency tests")
	flag.DurationVar(&o.duration, "duration", 4*time.Second, "of each measurement")
	flag.Func("text", "what messages are made of, one of "+fmt.Sprint(bench.Texts)+" (default ascii)", func(text string) error {
		if o.text = bench.Text(text); !slices.Contains(bench.Texts, o.text) {
			return errors.New("no such text")
		}
		return nil
	})
	flag.BoolVar(&o.wss, "wss", false, "measure what speaks TLS over wss://, beside this server without it")
	flag.BoolVar(&o.capabilities, "capabilities", false, "measure this server alone: over TLS, between nodes, with reports, resuming, upgraded; --servers names the benchmarks")
	flag.BoolVar(&o.pin, "pin", true, "server on CPU 0, generator on CPU 1")
	flag.StringVar(&o.only, "servers", "", "names, by commas (default all)")
	flag.StringVar(&o.tests, "tests", "pingpong,latency,stream64,stream16k,handshakes,idle",
		"names, by commas: "+strings.Join(testNames(), " "))
	flag.StringVar(&o.json, "json", "", "file to write every result to, one object a line")
	flag.Func("extra", "`name=command` of a further server, its address at {listen} or {port}, with --wss over TLS; may be repeated", func(s string) error {
		if name, command, ok := strings.Cut(s, "="); !ok || name == "" || command == "" {
			return errors.New("want name=command")
		}
		o.extra = append(o.extra, s)
		return nil
	})
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := compare(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		stop()
		os.Exit(1)
	}
}

func compare(ctx context.Context, o options) error {
	if o.capabilities {
		return compareCapabilities(ctx, o)
	}
	tests, err := pickTests(o)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "compare")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	servers, err := build(ctx, o, dir)
	if err != nil {
		return err
	}
	if o.pin && runtime.NumCPU() < 2 {
		fmt.Fprintln(os.Stderr, "one CPU only: nothing is pinned")
		o.pin = false
	}
	var log *json.Encoder
	if o.json != "" {
		f, err := os.Create(o.json)
		if err != nil {
			return err
		}
		defer f.Close()
		log = json.NewEncoder(f)
	}

	t := newTable(servers, tests)
	if o.wss {
		t.bound, t.boundTitle = boundSecure, "this server without TLS"
	}
	for round := range o.rounds {
		order := slices.Concat(servers[round%len(servers):], servers[:round%len(servers)])
		for _, test := range tests {
			for _, s := range order {
				if m := test.config.Mode; s.noStreams && (m == bench.Stream || m == bench.Slow) {
					continue
				}
				res, err := measure(ctx, o, s, test)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					fmt.Fprintf(os.Stderr, "round %d  %-11s %-10s %v\n", round+1, test.name, s.name, err)
					continue
				}
				fmt.Fprintf(os.Stderr, "round %d  %-11s %-10s %s\n", round+1, test.name, s.name, test.line(res))
				t.add(round, s, test, res)
				if log != nil {
					entry := record{round, s.name, test.name, res}
					if err := log.Encode(entry); err != nil {
						return err
					}
				}
			}
		}
	}
	fmt.Println(t.markdown(o))
	return nil
}

// record is one line of --json.
type record struct {
	Round  int           `json:"round"`
	Server string        `json:"server"`
	Test   string        `json:"test"`
	Result *bench.Result `json:"result"`
}

// measure starts the server for this one run.
func measure(ctx context.Context, o options, s server, t test) (*bench.Result, error) {
	var cpus, loops []int
	if o.pin && !t.unpinned {
		cpus, loops = []int{0}, []int{1}
	}
	p, err := s.start(ctx, cpus)
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	c := t.config
	c.Steps = slices.Clone(c.Steps)
	c.URL, c.PID, c.CPU = "ws://"+p.Addr+"/ws", p.PID, loops
	if s.secure {
		c.URL, c.TLS = "wss://"+p.Addr+"/ws", &tls.Config{InsecureSkipVerify: true} // it is on this machine, and made its certificate a moment ago
	}
	c.Duration = o.duration
	if c.Text == "" {
		c.Text = o.text
	}
	fit(&c, s.perConn)
	res, err := bench.Run(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := res.Err(); err != nil {
		fmt.Fprintf(os.Stderr, "         %-11s %-10s WRONG: %v\n", t.name, s.name, err)
	}
	return res, nil
}

// fit scales the connections down to what the descriptor limit, of each of the two
// processes, leaves room for.
func fit(c *bench.Config, perConn int) {
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) != nil || lim.Max > 1<<30 {
		return
	}
	room := (int(lim.Max) - 500) / perConn
	total := c.Connections + c.Idle
	if total <= room {
		return
	}
	scale := func(n int) int { return n * room / total &^ 1 }
	c.Connections, c.Idle = scale(c.Connections), scale(c.Idle)
	for i, n := range c.Steps {
		c.Steps[i] = scale(n)
	}
}
