// Package grafana_test looks at the dashboard beside it.
package grafana_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"roulette/metrics"
	"roulette/metrics/promtest"
)

const (
	dashboard = "roulette.json"
	rules     = "../prometheus/alerts.yml"
)

func TestPanels(t *testing.T) {
	d := promtest.ReadDashboard(t, dashboard)
	if d.SchemaVersion < 39 || d.Title == "" || d.UID == "" { // 39: Grafana 11
		t.Errorf("schema %d, title %q, uid %q", d.SchemaVersion, d.Title, d.UID)
	}
	var rows []string
	ids := map[int]bool{}
	type cell struct{ x, y int }
	taken := map[cell]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 || p.Title == "" {
			t.Errorf("%q has the id %d", p.Title, p.ID)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.W <= 0 || g.H <= 0 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("%s is at %+v", p.Title, g)
		}
		for x := range g.W {
			for y := range g.H {
				c := cell{g.X + x, g.Y + y}
				if other := taken[c]; other != "" {
					t.Fatalf("%s overlaps %s", p.Title, other)
				}
				taken[c] = p.Title
			}
		}
		if p.Type == "row" {
			rows = append(rows, p.Title)
			continue
		}
		if p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
			t.Errorf("%s has no description, no unit or no query", p.Title)
		}
		from := promtest.Datasource{Type: "prometheus", UID: "${datasource}"}
		if p.Datasource != from {
			t.Errorf("%s is of %+v", p.Title, p.Datasource)
		}
		for _, target := range p.Targets {
			if target.Datasource != from || target.RefID == "" || p.Type == "timeseries" && target.LegendFormat == "" {
				t.Errorf("%s: %+v", p.Title, target)
			}
		}
	}
	want := []string{"Overview", "Connections and closes by code", "TLS", "Pairing", "People", "Resume", "Live upgrade", "Nodes", "Safety", "Relay", "Backpressure", "Workers", "Descriptors and kernel", "Go runtime"}
	if !slices.Equal(rows, want) {
		t.Errorf("rows %q", rows)
	}
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
	}
	if !slices.Equal(variables, []string{"datasource", "job", "instance"}) {
		t.Errorf("variables %q", variables)
	}
}

// promtool parses whatever the dashboard asks for.
func TestEveryQueryParses(t *testing.T) {
	tool := promtest.Tool(t, "promtool")
	d := promtest.ReadDashboard(t, dashboard)
	var b strings.Builder
	b.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	queries := d.Queries("a", "b", "1m")
	for _, a := range d.Annotations.List {
		if a.Expr != "" {
			queries = append(queries, promtest.Query{Panel: "annotations", Expr: a.Expr})
		}
	}
	for i, q := range queries {
		fmt.Fprintf(&b, "      - record: query:%d\n        expr: '%s'\n", i, strings.ReplaceAll(q.Expr, "'", "''"))
	}
	file := filepath.Join(t.TempDir(), "queries.yml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, "check", "rules", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("%d rules found", len(queries))) {
		t.Errorf("%v\n%s", err, out)
	}
}

var (
	labelsOf   = regexp.MustCompile(`\{[^}]*\}`)
	grouping   = regexp.MustCompile(`\b(by|without|on|ignoring) \([^)]*\)`)
	identifier = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*[_:][a-zA-Z0-9_:]*`)
	functions  = []string{"histogram_quantile", "max_over_time"}
	recorded   = regexp.MustCompile(`(?m)^ +- record: (\S+)$`)
	alert      = regexp.MustCompile(`(?m)^ +- alert: (\S+)$`)
)

func readRules(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What the dashboard asks for exists: the server shows it, or a rule records it.
func TestEveryMetricExists(t *testing.T) {
	families, err := metrics.NewRegistry(metrics.Config{}).Gather()
	if err != nil {
		t.Fatal(err)
	}
	known, ours := map[string]bool{}, map[string]bool{} // ours: on the dashboard
	for _, f := range families {
		for _, suffix := range []string{"", "_bucket", "_count", "_sum"} {
			known[f.GetName()+suffix] = true
		}
	}
	// Those of each worker are not there without workers.
	for _, name := range []string{"worker_busy_seconds_total", "worker_wakeups_total", "worker_events_total"} {
		known["roulette_"+name] = true
	}
	for _, m := range recorded.FindAllStringSubmatch(readRules(t), -1) {
		known[m[1]] = true
	}
	for _, q := range promtest.ReadDashboard(t, dashboard).Queries("a", "b", "1m") {
		bare := grouping.ReplaceAllString(labelsOf.ReplaceAllString(q.Expr, ""), "")
		for _, name := range identifier.FindAllString(bare, -1) {
			ours[name] = true
			if !known[name] && !slices.Contains(functions, name) {
				t.Errorf("%s asks for %s", q.Panel, name)
			}
		}
	}
	for _, f := range families {
		if name := f.GetName(); strings.HasPrefix(name, "roulette_") && !ours[name] && !ours[name+"_bucket"] {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// Who looks at a panel learns which alert goes by it, and each alert has one.
func TestPanelsNameTheAlerts(t *testing.T) {
	var text strings.Builder
	for _, p := range promtest.ReadDashboard(t, dashboard).Panels {
		text.WriteString(p.Description + "\n")
	}
	known := map[string]bool{}
	for _, m := range alert.FindAllStringSubmatch(readRules(t), -1) {
		known[m[1]] = true
		if !strings.Contains(text.String(), m[1]) {
			t.Errorf("no panel for %s", m[1])
		}
	}
	for _, name := range regexp.MustCompile(`\bRoulette[A-Z]\w+`).FindAllString(text.String(), -1) {
		if !known[name] {
			t.Errorf("there is no alert %s", name)
		}
	}
}

// The highest threshold of a panel is that of the alert which its description
// names.
func TestThresholdsAreThoseOfTheAlerts(t *testing.T) {
	text := readRules(t)
	for title, condition := range map[string]string{
		"Relay p99":       "relay_latency_seconds:p99_5m > %v\n",
		"Relay latency":   "relay_latency_seconds:p99_5m > %v\n",
		"Wait p95":        "pairing_wait_seconds:p95_5m > %v\n",
		"Waits":           "pairing_wait_seconds:p95_5m > %v\n",
		"Busiest worker":  "worker_busy:ratio_rate5m > %v\n",
		"Busy":            "worker_busy:ratio_rate5m > %v\n",
		"Room":            "(roulette_connections_limit > 0) > %v\n",
		"Abnormal closes": "closes_abnormal:ratio_rate5m > %v\n",
	} {
		found := false
		for _, p := range promtest.ReadDashboard(t, dashboard).Panels {
			if p.Title != title {
				continue
			}
			found = true
			steps := p.FieldConfig.Defaults.Thresholds.Steps
			want := fmt.Sprintf(condition, *steps[len(steps)-1].Value)
			if !strings.Contains(text, want) {
				t.Errorf("%s: no alert has %q", title, want)
			}
		}
		if !found {
			t.Errorf("no panel %s", title)
		}
	}
}
