package program

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"roulette/cmd/roulette/internal/servertest"
)

// Pages is an HTTP client that keeps nothing open.
var Pages = &http.Client{
	Transport: &http.Transport{DisableKeepAlives: true},
	Timeout:   servertest.Patience,
}

// Get returns status and body of a page; status 0 says that nobody answers.
func Get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	r, err := Pages.Get(url)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
		return 0, ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return Answer(t, r)
}

// Answer reads and closes a response.
func Answer(t testing.TB, r *http.Response) (status int, body string) {
	t.Helper()
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// Metrics scrapes the program: `name{label="value"}` to value; histograms as
// their _count and _sum.
func (p *Process) Metrics(t testing.TB) map[string]float64 {
	t.Helper()
	status, body := Get(t, "http://"+p.Admin+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d", status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatalf("/metrics: %v", err)
	}
	values := make(map[string]float64)
	for name, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			suffix := ""
			if len(labels) > 0 {
				suffix = "{" + strings.Join(labels, ",") + "}"
			}
			switch {
			case m.Counter != nil:
				values[name+suffix] = m.Counter.GetValue()
			case m.Gauge != nil:
				values[name+suffix] = m.Gauge.GetValue()
			case m.Summary != nil:
				values[name+"_count"+suffix] = float64(m.Summary.GetSampleCount())
			case m.Histogram != nil:
				values[name+"_count"+suffix] = float64(m.Histogram.GetSampleCount())
				values[name+"_sum"+suffix] = m.Histogram.GetSampleSum()
			}
		}
	}
	return values
}

// Metric is one of Metrics, which must exist.
func (p *Process) Metric(t testing.TB, name string) float64 {
	t.Helper()
	v, ok := p.Metrics(t)[name]
	if !ok {
		t.Fatalf("no metric %s", name)
	}
	return v
}

// AtRest says whether there are no connections.
func (p *Process) AtRest(t testing.TB) bool {
	t.Helper()
	m := p.Metrics(t)
	for name, v := range m {
		if strings.HasPrefix(name, "roulette_connections{") && v != 0 {
			return false
		}
	}
	return m["roulette_pairs"] == 0
}

// Descriptors is how many the program has open.
func (p *Process) Descriptors(t testing.TB) int {
	t.Helper()
	return len(servertest.Descriptors(t, p.Cmd.Process.Pid))
}

// Goroutines is how many the program has.
func (p *Process) Goroutines(t testing.TB) int {
	t.Helper()
	return int(p.Metric(t, "go_goroutines"))
}
