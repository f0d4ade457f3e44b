//go:build linux

package bench_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/coder/websocket"

	"roulette/bench"
	"roulette/frame/record"
	"roulette/netpoll/nettest"
)

// What a message costs in one chat of two rich clients: with the partner on another
// node, and with what makes reports impossible to forge.

// burst is how many messages go one way before those who heard them answer.
const burst = 32

// chat is the messages of two who are paired, in bursts, and what they cost servers.
func chat(b *testing.B, one, other *talker, size int, servers ...*bench.Process) {
	text := []byte(strings.Repeat("x", size))
	before := cpuOf(b, servers)
	for b.Loop() {
		for _, way := range [][2]*talker{{one, other}, {other, one}} {
			for range burst {
				if err := way[0].conn.Write(b.Context(), websocket.MessageText, text); err != nil {
					b.Fatal(err)
				}
			}
			for range burst {
				way[1].hear(size)
			}
		}
	}
	messages := float64(2 * burst * b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/messages, "µs/msg")
	b.ReportMetric(float64(cpuOf(b, servers)-before)/1e3/messages, "cpu-µs/msg")
}

// hear waits for a message of the partner's.
func (t *talker) hear(size int) {
	for {
		_, text, err := t.conn.Read(t.b.Context())
		switch {
		case err != nil:
			t.b.Fatal(err)
		case !record.IsControl(text):
			if len(text) != size {
				t.b.Fatalf("heard %d bytes", len(text))
			}
			return
		}
	}
}

// meet has two people look for somebody, who find each other.
func meet(one, other *talker) {
	for _, t := range []*talker{one, other} {
		t.say(record.Command{Kind: record.Next})
	}
	one.event("paired")
	other.event("paired")
}

// cpuOf is what processes have used so far.
func cpuOf(b *testing.B, servers []*bench.Process) (sum time.Duration) {
	for _, p := range servers {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.PID))
		if err != nil || len(threads) == 0 {
			b.Skip("the kernel does not tell what a thread has used")
		}
		for _, file := range threads {
			stat, _ := os.ReadFile(file)
			used, _, _ := strings.Cut(string(stat), " ")
			ns, _ := strconv.ParseInt(used, 10, 64)
			sum += time.Duration(ns)
		}
	}
	return sum
}

// serveWith starts the server with more flags.
func serveWith(b *testing.B, flags ...string) *bench.Process {
	server := command(b)
	p, err := bench.Start(b.Context(), nil, server[0], slices.Concat(server[1:], flags)...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.Stop)
	return p
}

// BenchmarkRemote: link=remote is what it costs that the partner is on another node, as
// benchstat says with -col /link.
func BenchmarkRemote(b *testing.B) {
	bus := startNATS(b)
	for _, link := range []string{"local", "remote"} {
		for _, size := range []int{64, 16 << 10} {
			b.Run(fmt.Sprintf("size=%d/link=%s", size, link), func(b *testing.B) {
				nodes := []*bench.Process{serveWith(b, "--cluster", bus), serveWith(b, "--cluster", bus)}
				one := dialTalker(b, "ws://"+nodes[0].Addr+"/ws")
				at := nodes[0]
				if link == "remote" {
					at = nodes[1]
				}
				other := dialTalker(b, "ws://"+at.Addr+"/ws")
				defer func() { one.conn.CloseNow(); other.conn.CloseNow() }()
				meet(one, other)
				chat(b, one, other, size, nodes...)
			})
		}
	}
}

// startNATS starts a NATS server, and returns its URL.
func startNATS(b *testing.B) string {
	path, err := exec.LookPath("nats-server")
	if err != nil {
		b.Skip("needs nats-server")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	host, port, _ := net.SplitHostPort(addr)
	c := exec.Command(path, "-a", host, "-p", port)
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	nettest.Await(b, "the bus to listen", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return "nats://" + addr
}

// BenchmarkReports: reports=on is what it costs that messages are stamped, as benchstat
// says with -col /reports.
func BenchmarkReports(b *testing.B) {
	moderator, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatal(err)
	}
	for _, reports := range []string{"off", "on"} {
		for _, size := range []int{64, 16 << 10} {
			b.Run(fmt.Sprintf("size=%d/reports=%s", size, reports), func(b *testing.B) {
				flags := []string{"--safety", reports, "--state-dir", filepath.Join(b.TempDir(), "state")}
				if reports == "on" {
					flags = append(flags, "--moderators", moderator.Recipient().String())
				}
				p := serveWith(b, flags...)
				var pair [2]*talker
				for i := range pair {
					pair[i] = dialTalker(b, "ws://"+p.Addr+"/ws")
					defer pair[i].conn.CloseNow()
				}
				meet(pair[0], pair[1])
				chat(b, pair[0], pair[1], size, p)
			})
		}
	}
}
