package promtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Tool is the path of prometheus or promtool. Without it the test is skipped,
// except where CI=true.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v, and CI=true: this test must run", err)
		}
		t.Skipf("skipped: %v; install Prometheus to run this test", err)
	}
	return path
}

// Dashboard is the part of Grafana's model that tests look at.
type Dashboard struct {
	SchemaVersion int
	Title, UID    string
	Panels        []Panel
	Templating    struct{ List []struct{ Name, Type string } }
	Annotations   struct{ List []struct{ Expr string } }
}

// Panel is a panel, or the title of a row.
type Panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               Datasource
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct {
		Defaults struct {
			Unit       string
			Thresholds struct{ Steps []struct{ Value *float64 } }
		}
	}
	Targets []struct {
		Datasource                Datasource
		Expr, LegendFormat, RefID string
	}
}

// Datasource is where a panel gets its series from.
type Datasource struct{ Type, UID string }

// Query is one question of the dashboard, as Prometheus understands it.
type Query struct{ Panel, Expr string }

// ReadDashboard reads a dashboard as Grafana exports it.
func ReadDashboard(t testing.TB, file string) *Dashboard {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := new(Dashboard)
	if err := json.Unmarshal(b, d); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return d
}

// Queries are all questions, for one job and instance, with rates over the given
// range.
func (d *Dashboard) Queries(job, instance, rate string) (all []Query) {
	variables := strings.NewReplacer("$job", job, "$instance", instance, "$__rate_interval", rate)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all = append(all, Query{p.Title, variables.Replace(target.Expr)})
		}
	}
	return all
}
