// Package prometheus_test lets Prometheus's own tools check the rules and the
// configuration beside it.
package prometheus_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"roulette/metrics/promtest"
)

// promtool runs Prometheus's checker and returns what it says.
func promtool(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(promtest.Tool(t, "promtool"), args...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestPromtool(t *testing.T) {
	for _, args := range [][]string{
		{"check", "rules", "alerts.yml"},
		{"check", "config", "prometheus.yml"},
		{"test", "rules", "alerts_test.yml"},
	} {
		if out := promtool(t, args...); !strings.Contains(out, "SUCCESS") {
			t.Errorf("promtool %v: %s", args, out)
		}
	}
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(b), "\n")
}

var (
	alertLine    = regexp.MustCompile(`^      - alert: (\w+)$`)
	severityLine = regexp.MustCompile(`^          severity: (\w+)$`)
	noteLine     = regexp.MustCompile(`^          (summary|description|runbook_url): (.+)$`)
	firesLine    = regexp.MustCompile(`^          - exp_labels: \{severity: (\w+)`)
	testedLine   = regexp.MustCompile(`^(?:        |      - \{.*)alertname: (\w+)`)
)

// alerts are the alerting rules in the order of the file.
func alerts(t *testing.T) (all []map[string]string) {
	t.Helper()
	for _, line := range lines(t, "alerts.yml") {
		if m := alertLine.FindStringSubmatch(line); m != nil {
			all = append(all, map[string]string{"alert": m[1]})
		} else if m := severityLine.FindStringSubmatch(line); m != nil {
			all[len(all)-1]["severity"] = m[1]
		} else if m := noteLine.FindStringSubmatch(line); m != nil {
			all[len(all)-1][m[1]] = m[2]
		}
	}
	return all
}

// Whoever is called knows how urgent it is, what it is about and where to read on.
func TestEveryAlertSaysWhatToDo(t *testing.T) {
	names := map[string]bool{}
	for _, a := range alerts(t) {
		names[a["alert"]] = true
		if a["severity"] != "page" && a["severity"] != "ticket" {
			t.Errorf("%s has the severity %q", a["alert"], a["severity"])
		}
		if a["summary"] == "" || a["description"] == "" {
			t.Errorf("%s has no summary or no description", a["alert"])
		}
		if want := "cmd/roulette/docs/runbook.md#" + strings.ToLower(a["alert"]); a["runbook_url"] != want {
			t.Errorf("%s has the runbook %q, want %q", a["alert"], a["runbook_url"], want)
		}
	}
	for _, want := range strings.Fields(`RouletteDown RoulettePairingWaitHigh RouletteRelayLatencyHigh
		RouletteAbnormalCloseRatioHigh RouletteMassDisconnect RouletteAcceptFailing RouletteNearConnectionLimit
		RouletteFileDescriptorsHigh RouletteWorkerSaturated RouletteRefusing RouletteDrainStuck`) {
		if !names[want] {
			t.Errorf("no alert %s", want)
		}
	}
}

// Each alert is seen to fire, at each severity it has, and not to fire.
func TestEveryAlertIsTested(t *testing.T) {
	fires, quiet := map[string]bool{}, map[string]bool{}
	name := ""
	for _, line := range lines(t, "alerts_test.yml") {
		if m := testedLine.FindStringSubmatch(line); m != nil {
			name = m[1]
		}
		if strings.Contains(line, "exp_alerts: []") {
			quiet[name] = true
		}
		if m := firesLine.FindStringSubmatch(line); m != nil {
			fires[name+" "+m[1]] = true
		}
	}
	for _, a := range alerts(t) {
		if !fires[a["alert"]+" "+a["severity"]] {
			t.Errorf("no case in which %s fires as %s", a["alert"], a["severity"])
		}
		if !quiet[a["alert"]] {
			t.Errorf("no case in which %s must not fire", a["alert"])
		}
	}
}
