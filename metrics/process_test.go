package metrics

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// TestProcessCollector: the collector for older kernels shows the families of the
// usual one, by name, type and help, and the descriptors it is told.
func TestProcessCollector(t *testing.T) {
	shown := func(c prometheus.Collector) (families []string, descriptors float64) {
		reg := prometheus.NewPedanticRegistry()
		reg.MustRegister(c)
		got, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range got {
			families = append(families, f.GetName()+" "+f.GetType().String()+" "+f.GetHelp())
			if f.GetName() == "process_open_fds" {
				descriptors = f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		return families, descriptors
	}
	want, _ := shown(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	got, descriptors := shown(processCollector{func() int { return 12345 }})
	if !slices.Equal(got, want) {
		t.Errorf("it shows\n%q\nwant\n%q", got, want)
	}
	if descriptors != 12345 {
		t.Errorf("it shows %v descriptors", descriptors)
	}
}
