package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"roulette/bench"
)

// TestSoak is a short one, of each kind of crowd; .ci/soak is the long one.
func TestSoak(t *testing.T) {
	p := serve(t)
	out, errs, code := output(t, "", "bench", "soak", "ws://"+p.Addr+"/ws", "--admin", p.Admin,
		"--connections", "100", "--duration", "3s", "--round", "1s", "--json")
	var r bench.SoakResult
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK {
		t.Fatalf("%v, exit code %d\n%s%s", err, code, out, errs)
	}
	if r.Rounds < 2 || r.Sessions == 0 || r.Messages == 0 || r.Before.Heap == 0 || r.Before.Descriptors == 0 {
		t.Errorf("%+v", r)
	}
	t.Logf("%d sessions, the heap %d bytes, %d before", r.Sessions, r.After.Heap, r.Before.Heap)
	// All that it sends in bad order has been seen for what it is.
	m := p.metrics(t)
	for _, code := range []string{"1000", "1002", "1006", "1007", "1009", "4429"} {
		closed := m[`roulette_connections_closed_total{code="`+code+`",initiator="client"}`] +
			m[`roulette_connections_closed_total{code="`+code+`",initiator="server"}`]
		if closed == 0 {
			t.Errorf("nobody was closed with %s", code)
		}
	}
	if m["roulette_pairs_created_total"] == 0 || m[`roulette_connections_accepted_total`] < float64(r.Sessions) {
		t.Errorf("%v pairs, %v accepted of %d", m["roulette_pairs_created_total"], m["roulette_connections_accepted_total"], r.Sessions)
	}
	p.stop(t)
}

func TestSoakRefuses(t *testing.T) {
	p := serve(t)
	for _, tc := range []struct {
		name, args, want string
		code             int
	}{
		{"nobody there", "ws://127.0.0.1:1/ws", "refused", exitFailed},
		{"no admin side", "ws://" + p.Addr + "/ws --round 10ms --connections 2 --admin 127.0.0.1:1", "refused", exitFailed},
		{"another's admin side", "ws://" + p.Addr + "/ws --round 10ms --connections 2 --admin " + p.Addr, "404", exitFailed},
		{"odd", "ws://h/ws --connections 3", "even", exitUsage},
		{"no time", "ws://h/ws --duration 0s", "--duration", exitUsage},
		{"not a URL", "nonsense", "ws://", exitUsage},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, errs, code := output(t, "", append([]string{"bench", "soak"}, strings.Fields(tc.args)...)...)
			if code != tc.code || out != "" {
				t.Errorf("exit code %d, stdout %q", code, out)
			}
			oneLine(t, errs, tc.want)
		})
	}
}

// TestSoakScript is what CI runs for longer.
func TestSoakScript(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "../../.ci/soak", "1s", "--connections", "20", "--round", "200ms")
	cmd.Env = append(cleanEnvironment(), "GOFLAGS="+os.Getenv("GOFLAGS"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "nothing is left behind") {
		t.Errorf("%v\n%s", err, out)
	}
}
