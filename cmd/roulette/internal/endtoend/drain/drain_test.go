package drain

import (
	"net/http"
	"syscall"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// TestDrainUnderLoad: nobody is reset, however much is under way.
func TestDrainUnderLoad(t *testing.T) { program.Drained(t, 2000, 4000, "10s") }

// TestDrainGraceServes: the program is not ready any more, and yet whoever comes is
// served; a second signal ends that, too.
func TestDrainGraceServes(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t, "--drain-grace=1h")
	if status, body := program.Get(t, "http://"+p.Admin+"/readyz"); status != http.StatusOK {
		t.Errorf("/readyz before: %d %q", status, body)
	}
	p.Signal(t, syscall.SIGTERM)
	servertest.Await(t, "not to be ready", func() bool {
		status, _ := program.Get(t, "http://"+p.Admin+"/readyz")
		return status == http.StatusServiceUnavailable
	})
	program.Converse(t, p.Addr)
	if got := p.Metric(t, "roulette_draining"); got != 1 {
		t.Errorf("roulette_draining: %v", got)
	}
	p.Signal(t, syscall.SIGTERM)
	if code := p.Exit(t); code != program.Failed {
		t.Errorf("exit code %d", code)
	}
}
