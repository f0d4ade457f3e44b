package monitor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"roulette/bench"
	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/frame/record"
	"roulette/metrics/promtest"
)

// The files that operators get.
const (
	prometheusDir = "metrics/prometheus"
	dashboardFile = "metrics/grafana/roulette.json"
)

// TestPromtoolOnMetrics: Prometheus's own linter has nothing to say.
func TestPromtoolOnMetrics(t *testing.T) {
	servertest.Parallel(t)
	tool := promtest.Tool(t, "promtool")
	servertest.CheckLeaks(t)
	p := program.Serve(t)
	program.Converse(t, p.Addr)
	_, body := program.Get(t, "http://"+p.Admin+"/metrics")
	check := exec.Command(tool, "check", "metrics")
	check.Stdin = strings.NewReader(body)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
	p.Stop(t)
}

// monitor is a real Prometheus that scrapes a server as the committed files say,
// only more often.
type monitor struct{ url string }

func startMonitor(t *testing.T, admin string) monitor {
	t.Helper()
	text, err := os.ReadFile(program.File(t, prometheusDir+"/prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	rules := program.File(t, prometheusDir+"/alerts.yml")
	config := string(text)
	for old, replacement := range map[string]string{
		"127.0.0.1:8081":           admin,
		"- alerts.yml":             "- " + rules,
		"scrape_interval: 15s":     "scrape_interval: 200ms",
		"evaluation_interval: 15s": "evaluation_interval: 200ms",
	} {
		if !strings.Contains(config, old) {
			t.Fatalf("no %q in prometheus.yml", old)
		}
		config = strings.ReplaceAll(config, old, replacement)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + program.FreePort(t)
	program.Launch{Program: promtest.Tool(t, "prometheus"), Args: []string{
		"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"),
		"--web.listen-address=" + address, "--log.level=warn",
	}}.Run(t)
	m := monitor{"http://" + address}
	servertest.Await(t, "Prometheus to be ready", func() bool {
		status, _ := program.Get(t, m.url+"/-/ready")
		return status == http.StatusOK
	})
	return m
}

// ask gets data of Prometheus's API.
func (m monitor) ask(t *testing.T, data any, path string) {
	t.Helper()
	status, body := program.Get(t, m.url+"/api/v1/"+path)
	answer := struct{ Data any }{data}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d %v: %s", path, status, err, body)
	}
}

// values are those of the series that a query returns, without those that are no
// number.
func (m monitor) values(t *testing.T, query string) (numbers []float64) {
	t.Helper()
	var data struct {
		Result []struct{ Value [2]any }
	}
	m.ask(t, &data, "query?query="+url.QueryEscape(query))
	for _, series := range data.Result {
		v, err := strconv.ParseFloat(series.Value[1].(string), 64)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if !math.IsNaN(v) {
			numbers = append(numbers, v)
		}
	}
	return numbers
}

// somethingOfEverything has clients do what the dashboard is to show.
func somethingOfEverything(t *testing.T, addr string) {
	t.Helper()
	program.Converse(t, addr)
	for _, request := range []string{
		servertest.Request(addr, "/ws", "Sec-WebSocket-Version: 12"),
		servertest.Request(addr, "/ws", "Origin: https://evil.example"),
		servertest.Request(addr, "/nowhere"),
	} {
		c := servertest.Connect(t, addr)
		c.Write([]byte(request))
		if r, err := c.Response("GET"); err != nil || r.StatusCode < 400 {
			t.Fatalf("%v, %v; want a refusal", r, err)
		}
		c.TCP.Close()
	}
	for range 2 { // one after the other: neither finds a partner
		c := servertest.Connect(t, addr)
		c.Write([]byte(servertest.Request(addr, "/ws", "Sec-WebSocket-Protocol: roulette.v1")))
		if err := c.Upgraded(); err != nil {
			t.Fatal(err)
		}
		c.Write(servertest.Encode(servertest.Fin|servertest.OpText, "to nobody"))
		for undelivered := false; !undelivered; {
			f, err := c.Read()
			if err != nil {
				t.Fatal(err)
			}
			undelivered = strings.Contains(string(f.Payload), "undelivered")
		}
		c.Write(servertest.Close(1000, ""))
		c.TCP.Close()
	}
}

// somethingSecure shakes hands.
func somethingSecure(t *testing.T, addr string) {
	t.Helper()
	for range 3 {
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

// aBreak has two people meet at a table, one lose their connection, and come back.
func aBreak(t *testing.T, addr string) {
	t.Helper()
	dial := func(records ...record.Command) *servertest.Conn {
		c := servertest.Connect(t, addr)
		c.Write([]byte(servertest.Request(addr, "/ws", "Sec-WebSocket-Protocol: roulette.v1")))
		if err := c.Upgraded(); err != nil {
			t.Fatal(err)
		}
		for _, cmd := range append([]record.Command{{Kind: record.Hello, Can: record.CanResume}}, records...) {
			c.Write(servertest.Encode(servertest.Fin|servertest.OpText, record.AppendCommand(nil, &cmd)))
		}
		return c
	}
	event := func(c *servertest.Conn, kind string) record.Event {
		for {
			f, err := c.Read()
			if err != nil {
				t.Fatal(err)
			}
			events, err := record.ParseEvents(f.Payload)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if e.Type == kind {
					return e
				}
			}
		}
	}
	next := record.Command{Kind: record.Next, HasTable: true, Table: "monitored"}
	a := dial(next)
	event(a, record.TypeWaiting)
	b := dial(next)
	token := event(a, record.TypePaired).Token
	a.TCP.Close()
	event(b, record.TypeAway)
	a = dial(record.Command{Kind: record.Resume, Token: token, Try: 1})
	event(a, record.TypeResumed)
	for _, c := range []*servertest.Conn{a, b} {
		c.Write(servertest.Close(1000, ""))
		c.TCP.Close()
	}
}

// TestPrometheus: a real Prometheus with the committed configuration scrapes the
// real server under a little load. The target is up, the rules work, each query of
// the dashboard returns numbers, and no alert so much as thinks of firing.
func TestPrometheus(t *testing.T) {
	servertest.Parallel(t)
	promtest.Tool(t, "prometheus")
	servertest.CheckLeaks(t)
	p := program.Serve(t, "--listen-tls=127.0.0.1:0", "--tls-self-signed", "--state-dir", filepath.Join(t.TempDir(), "state"))
	m := startMonitor(t, p.Admin)
	servertest.Await(t, "the target to be up", func() bool {
		up := m.values(t, `up{job="roulette"}`)
		return len(up) == 1 && up[0] == 1
	})

	ctx, cancel := context.WithCancel(t.Context())
	load := make(chan error, 1)
	go func() {
		_, err := bench.Run(ctx, bench.Config{
			URL: "ws://" + p.Addr + "/ws", Mode: bench.Rate, Connections: 20, Rate: 200, Duration: 2 * servertest.Patience,
		})
		load <- err
	}()
	defer func() {
		cancel()
		if err := <-load; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		p.Stop(t)
	}()
	servertest.Await(t, "messages", func() bool { return p.Metric(t, `roulette_relayed_messages_total{opcode="text"}`) > 0 })
	somethingOfEverything(t, p.Addr)
	somethingSecure(t, program.ListeningTLS.FindStringSubmatch(p.Stdout.String())[1])
	aBreak(t, p.Addr)
	program.Get(t, "http://"+p.Admin+"/debug/pprof/heap?gc=1") // a garbage collection

	queries := promtest.ReadDashboard(t, program.File(t, dashboardFile)).Queries("roulette", p.Admin, "5s")
	if len(queries) < 40 {
		t.Fatalf("only %d queries", len(queries))
	}
	defer func() {
		for _, q := range queries {
			t.Errorf("%s: no numbers for %s", q.Panel, q.Expr)
		}
	}()
	servertest.Await(t, "every query to return numbers", func() bool {
		queries = slices.DeleteFunc(queries, func(q promtest.Query) bool { return len(m.values(t, q.Expr)) > 0 })
		return len(queries) == 0
	})
	m.checkRules(t)
}

// checkRules looks at what Prometheus thinks of the rules.
func (m monitor) checkRules(t *testing.T) {
	t.Helper()
	var data struct {
		Groups []struct {
			Rules []struct{ Name, Type, Health, LastError, State string }
		}
	}
	m.ask(t, &data, "rules")
	n := map[string]int{}
	for _, g := range data.Groups {
		for _, r := range g.Rules {
			n[r.Type]++
			if r.Health != "ok" || r.LastError != "" {
				t.Errorf("%s is %s: %s", r.Name, r.Health, r.LastError)
			}
			if r.Type == "alerting" && r.State != "inactive" {
				t.Errorf("%s is %s", r.Name, r.State)
			}
		}
	}
	if n["alerting"] < 10 || n["recording"] == 0 {
		t.Errorf("rules loaded: %v", n)
	}
}
