package load

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"roulette/bench"
	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// TestSoak is a short one, of each kind of crowd; .ci/soak is the long one.
func TestSoak(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t)
	out, errs, code := program.Output(t, "", "bench", "soak", "ws://"+p.Addr+"/ws", "--admin", p.Admin,
		"--connections", "100", "--duration", "3s", "--round", "1s", "--json")
	var r bench.SoakResult
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != program.OK {
		t.Fatalf("%v, exit code %d\n%s%s", err, code, out, errs)
	}
	if r.Rounds < 2 || r.Sessions == 0 || r.Messages == 0 || r.Before.Heap == 0 || r.Before.Descriptors == 0 {
		t.Errorf("%+v", r)
	}
	t.Logf("%d sessions, the heap %d bytes, %d before", r.Sessions, r.After.Heap, r.Before.Heap)
	// All that it sends in bad order has been seen for what it is.
	m := p.Metrics(t)
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
	p.Stop(t)
}

func TestSoakRefuses(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t)
	for _, tc := range []struct {
		name, args, want string
		code             int
	}{
		{"nobody there", "ws://127.0.0.1:1/ws", "refused", program.Failed},
		{"no admin side", "ws://" + p.Addr + "/ws --round 10ms --connections 2 --admin 127.0.0.1:1", "refused", program.Failed},
		{"another's admin side", "ws://" + p.Addr + "/ws --round 10ms --connections 2 --admin " + p.Addr, "404", program.Failed},
		{"odd", "ws://h/ws --connections 3", "even", program.Usage},
		{"no time", "ws://h/ws --duration 0s", "--duration", program.Usage},
		{"not a URL", "nonsense", "ws://", program.Usage},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, errs, code := program.Output(t, "", append([]string{"bench", "soak"}, strings.Fields(tc.args)...)...)
			if code != tc.code || out != "" {
				t.Errorf("exit code %d, stdout %q", code, out)
			}
			program.OneLine(t, errs, tc.want)
		})
	}
}

// TestSoakScript is what CI runs for longer.
func TestSoakScript(t *testing.T) {
	servertest.Parallel(t)
	cmd := exec.CommandContext(t.Context(), program.File(t, ".ci/soak"), "1s", "--connections", "20", "--round", "200ms")
	cmd.Env = append(program.Environment(), "GOFLAGS="+os.Getenv("GOFLAGS"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "nothing is left behind") {
		t.Errorf("%v\n%s", err, out)
	}
}
