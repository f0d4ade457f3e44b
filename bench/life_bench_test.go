//go:build linux

package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"roulette/bench"
	"roulette/frame/record"
)

// What a chat goes through besides messages: it is resumed, and its server is replaced.

// frozen is what roulette upgrade says in the end.
var frozen = regexp.MustCompile(`(\d+) has taken over: .* frozen for ([^\s,]+)`)

// BenchmarkUpgrade is how long everybody stands still while a new process takes over.
func BenchmarkUpgrade(b *testing.B) {
	for _, conns := range []int{100, 1000, 5000, 19000} {
		conns = fit(conns)
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			var freeze time.Duration
			for b.Loop() {
				freeze = upgrade(b, conns)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(freeze)/1e6, "freeze-ms")
		})
	}
}

func upgrade(b *testing.B, conns int) (freeze time.Duration) {
	server, dir := command(b), filepath.Join(b.TempDir(), "state") // made by the server, for itself
	p, err := bench.Start(b.Context(), nil, server[0], append(server[1:len(server):len(server)], "--state-dir", dir)...)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Stop()
	var out []byte
	var outErr error
	result, err := bench.Run(b.Context(), bench.Config{
		URL: "ws://" + p.Addr + "/ws", Mode: bench.Idle, Connections: conns, Duration: 3 * time.Second,
		Begin: func() { out, outErr = exec.Command(server[0], "upgrade", "--state-dir", dir).CombinedOutput() },
	})
	said := frozen.FindSubmatch(out)
	if said == nil {
		b.Fatalf("no upgrade: %v, %v\n%s", outErr, err, out)
	}
	successor, _ := strconv.Atoi(string(said[1]))
	defer func() { _ = syscall.Kill(successor, syscall.SIGKILL) }() // it is no child of this process
	if err != nil || result.Err() != nil || result.Connected != conns {
		b.Fatalf("%v %v: %d of %d are connected", err, result.Err(), result.Connected, conns)
	}
	if freeze, err = time.ParseDuration(string(said[2])); err != nil {
		b.Fatal(err)
	}
	return freeze
}

// BenchmarkUpgradeGuarded is the same of a thousand with --safety off and on, where each is a person, as a page
// is by its cookie, and can report what they hear.
func BenchmarkUpgradeGuarded(b *testing.B) {
	for _, mode := range []string{"off", "on"} {
		b.Run("safety="+mode, func(b *testing.B) {
			var freeze time.Duration
			for b.Loop() {
				freeze = upgradeGuarded(b, mode, fit(1000))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(freeze)/1e6, "freeze-ms")
		})
	}
}

func upgradeGuarded(b *testing.B, mode string, conns int) (freeze time.Duration) {
	server, dir := command(b), filepath.Join(b.TempDir(), "state")
	p, err := bench.Start(b.Context(), nil, server[0], append(server[1:len(server):len(server)], "--state-dir", dir, "--safety", mode)...)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Stop()
	all := make(chan *talker, conns)
	var coming sync.WaitGroup
	for i := range 16 {
		coming.Go(func() {
			for range (conns - i + 15) / 16 {
				t := dialTalker(b, "ws://"+p.Addr+"/ws")
				t.say(record.Command{Kind: record.Next})
				t.event("paired")
				all <- t
			}
		})
	}
	coming.Wait()
	close(all)
	defer func() {
		for t := range all {
			t.conn.CloseNow()
		}
	}()
	out, err := exec.Command(server[0], "upgrade", "--state-dir", dir).CombinedOutput()
	said := frozen.FindSubmatch(out)
	if said == nil || len(all) != conns {
		b.Fatalf("no upgrade of %d: %v\n%s", len(all), err, out)
	}
	successor, _ := strconv.Atoi(string(said[1]))
	defer func() { _ = syscall.Kill(successor, syscall.SIGKILL) }()
	if freeze, err = time.ParseDuration(string(said[2])); err != nil {
		b.Fatal(err)
	}
	return freeze
}

// talker is a rich client that can resume, and report.
type talker struct {
	b      *testing.B
	conn   *websocket.Conn
	events []record.Event
}

func dialTalker(b *testing.B, url string) *talker {
	b.Helper()
	conn, _, err := websocket.Dial(b.Context(), url, &websocket.DialOptions{
		Subprotocols: []string{record.Subprotocol}, HTTPHeader: http.Header{"Origin": {strings.TrimSuffix(strings.Replace(url, "ws", "http", 1), "/ws")}},
	})
	if err != nil {
		b.Fatal(err)
	}
	conn.SetReadLimit(128 << 10)
	t := &talker{b: b, conn: conn}
	t.say(record.Command{Kind: record.Hello, Can: record.CanResume | record.CanReport})
	return t
}

func (t *talker) say(c record.Command) {
	if err := t.conn.Write(t.b.Context(), websocket.MessageText, record.AppendCommand(nil, &c)); err != nil {
		t.b.Fatal(err)
	}
}

// event reads on until a record of this type comes.
func (t *talker) event(kind string) record.Event {
	t.b.Helper()
	ctx, cancel := context.WithTimeout(t.b.Context(), 10*time.Second)
	defer cancel()
	for {
		for len(t.events) == 0 {
			_, text, err := t.conn.Read(ctx)
			if err != nil {
				t.b.Fatalf("before %s: %v", kind, err)
			}
			if t.events, err = record.ParseEvents(text); err != nil {
				t.b.Fatal(err)
			}
		}
		e := t.events[0]
		if t.events = t.events[1:]; e.Type == kind {
			return e
		}
	}
}

// BenchmarkResume is how long it takes from a cut to both sides' "back": a new
// connection and its upgrade, and four records.
func BenchmarkResume(b *testing.B) {
	server := command(b)
	p, err := bench.Start(b.Context(), nil, server[0], append(server[1:len(server):len(server)], "--state-dir", filepath.Join(b.TempDir(), "state"))...)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Stop()
	url := "ws://" + p.Addr + "/ws"
	came, stayed := dialTalker(b, url), dialTalker(b, url)
	defer func() { came.conn.CloseNow(); stayed.conn.CloseNow() }()
	came.say(record.Command{Kind: record.Next})
	came.event("waiting")
	stayed.say(record.Command{Kind: record.Next})
	token := came.event("paired").Token
	stayed.event("paired")
	if token == "" {
		b.Fatal("no token")
	}
	try := uint32(0)
	for b.Loop() {
		try++
		came.conn.CloseNow()
		came = dialTalker(b, url)
		came.say(record.Command{Kind: record.Resume, Token: token, Try: try})
		sync := stayed.event("sync")
		stayed.say(record.Command{Kind: record.Have, Pair: sync.Pair, Generation: sync.Generation})
		if again := came.event("resumed"); again.Token != "" {
			token = again.Token
		}
		for _, t := range []*talker{came, stayed} {
			t.event("back")
			t.say(record.Command{Kind: record.Resend, Generation: sync.Generation, From: 1})
		}
	}
}
