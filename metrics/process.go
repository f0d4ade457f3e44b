package metrics

import (
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/procfs"
)

// newProcessCollector returns the usual collector of process_*, except where that
// would list all descriptors to know how many there are. Before Linux 6.2 it does,
// which is nothing for a few; but the kernel makes an inode for each, so a million
// took more than a scrape has time, and 100 MB.
func newProcessCollector(descriptors func() int) prometheus.Collector {
	info, err := os.Stat("/proc/self/fd")
	if descriptors == nil || err != nil || info.Size() > 0 {
		return collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
	}
	return processCollector{descriptors}
}

// processCollector shows what the usual one does. What cannot be read is left out,
// likewise.
type processCollector struct{ descriptors func() int }

func processDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("process_"+name, help, nil, nil)
}

var (
	cpuTotal        = processDesc("cpu_seconds_total", "Total user and system CPU time spent in seconds.")
	openDescriptors = processDesc("open_fds", "Number of open file descriptors.")
	maxDescriptors  = processDesc("max_fds", "Maximum number of open file descriptors.")
	virtual         = processDesc("virtual_memory_bytes", "Virtual memory size in bytes.")
	maxVirtual      = processDesc("virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.")
	resident        = processDesc("resident_memory_bytes", "Resident memory size in bytes.")
	startTime       = processDesc("start_time_seconds", "Start time of the process since unix epoch in seconds.")
	bytesReceived   = processDesc("network_receive_bytes_total", "Number of bytes received by the process over the network.")
	bytesSent       = processDesc("network_transmit_bytes_total", "Number of bytes sent by the process over the network.")
)

// Describe implements prometheus.Collector.
func (processCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{cpuTotal, openDescriptors, maxDescriptors, virtual, maxVirtual, resident, startTime, bytesReceived, bytesSent} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c processCollector) Collect(ch chan<- prometheus.Metric) {
	emit := func(d *prometheus.Desc, kind prometheus.ValueType, v float64) {
		ch <- prometheus.MustNewConstMetric(d, kind, v)
	}
	if n := c.descriptors(); n >= 0 {
		emit(openDescriptors, prometheus.GaugeValue, float64(n))
	}
	self, err := procfs.Self()
	if err != nil {
		return
	}
	if stat, err := self.Stat(); err == nil {
		emit(cpuTotal, prometheus.CounterValue, stat.CPUTime())
		emit(virtual, prometheus.GaugeValue, float64(stat.VirtualMemory()))
		emit(resident, prometheus.GaugeValue, float64(stat.ResidentMemory()))
		if at, err := stat.StartTime(); err == nil {
			emit(startTime, prometheus.GaugeValue, at)
		}
	}
	if limits, err := self.Limits(); err == nil {
		emit(maxDescriptors, prometheus.GaugeValue, float64(limits.OpenFiles))
		emit(maxVirtual, prometheus.GaugeValue, float64(limits.AddressSpace))
	}
	if stat, err := self.Netstat(); err == nil {
		var in, out float64
		if stat.InOctets != nil {
			in = *stat.InOctets
		}
		if stat.OutOctets != nil {
			out = *stat.OutOctets
		}
		emit(bytesReceived, prometheus.CounterValue, in)
		emit(bytesSent, prometheus.CounterValue, out)
	}
}
