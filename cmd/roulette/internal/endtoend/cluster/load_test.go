package cluster

import (
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
)

// TestLoadAcross: roulette bench loads two nodes, and each message that people on both say
// to each other arrives once and in order.
func TestLoadAcross(t *testing.T) {
	nodes := startNodes(t, program.StartBus(t), 2)
	urls := []string{"ws://" + nodes[0].Addr + "/ws", "ws://" + nodes[1].Addr + "/ws"}
	for _, kind := range []struct {
		args   string
		across bool
	}{
		{"--connections 20 --mode pingpong", false}, // who finds somebody at home stays there
		{"--connections 20 --mode pingpong --across", true},
		{"--connections 4 --mode stream --size 16KiB --across", true},
	} {
		t.Run(kind.args, func(t *testing.T) {
			before := nodes[0].Metric(t, `roulette_cluster_meetings_total`)
			args := append([]string{"bench", "load", urls[0], urls[1], "--duration", "300ms"}, strings.Fields(kind.args)...)
			out, errs, code := program.Output(t, "", args...)
			if code != program.OK || !strings.Contains(out, "faults                 none") || !strings.Contains(out, "errors                 none") {
				t.Errorf("exit code %d\n%s%s", code, out, errs)
			}
			if met := nodes[0].Metric(t, `roulette_cluster_meetings_total`) - before; kind.across && met < 2 {
				t.Errorf("%v have met across nodes", met)
			}
		})
	}
}
