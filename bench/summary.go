//go:build linux

package bench

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// WriteSummary writes the result for a person to read.
func (r *Result) WriteSummary(w io.Writer) error {
	var b bytes.Buffer
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-22s "+format+"\n", append([]any{name}, args...)...)
	}
	fmt.Fprintf(&b, "%s %s, %d connections", r.Mode, r.URL, r.Connections)
	if r.Idle > 0 {
		fmt.Fprintf(&b, " and %d idle", r.Idle)
	}
	fmt.Fprintf(&b, ", %d B, %.1f s\n\n", r.Size, r.Seconds)

	row("connected", "%d, in %.2f s", r.Connected, r.ConnectSeconds)
	if r.HandshakesPerSecond > 0 {
		row("handshakes", "%d  %.0f/s", r.Handshakes, r.HandshakesPerSecond)
	}
	quantiles(row, "handshake", r.HandshakeLatency)
	if r.Messages > 0 {
		row("messages", "%d  %.0f/s  %.2f MiB/s", r.Messages, r.PerSecond, r.MiBPerSecond)
	}
	quantiles(row, "latency", r.Latency)
	if r.Sessions > 0 {
		row("sessions", "%d  %.0f/s", r.Sessions, float64(r.Sessions)/r.Seconds)
	}
	if d := r.Drained; d != nil {
		row("load", "%.0f/s", d.LoadPerSecond)
		row("sent away", "%d with 1001 and a clean end, %d left", d.Goodbyes, d.Left)
		row("", "in %.2f s, the first after %.2f s; by tenths %d", d.SpreadSeconds, d.FirstSeconds, d.Tenths)
	}
	if r.Pings > 0 {
		row("pings answered", "%d", r.Pings)
	}
	if v := r.Server; v != nil {
		row("server CPU", "%.1f %%", 100*v.Busy)
		figure := func(name string, value float64, unit string) {
			if value != 0 {
				row(name, "%.2f %s", value, unit)
			}
		}
		figure("", v.CPUPerMessage, "µs/message")
		figure("", v.CPUPerHandshake, "µs/handshake")
		row("server memory", "%.1f MiB before, %.1f MiB after", mebibytes(v.Before.RSS), mebibytes(v.After.RSS))
		figure("", v.BytesPerConn, "B/connection")
		figure("", v.CalmPerConn, "B/connection, later")
		figure("", v.ResidentPerConn, "B/connection, with pages of the program")
		figure("", v.GrowthPerStall/1024, "KiB/stalled pair")
	}
	note := ""
	if r.Generator > 0.9 {
		note = "  (it may be what limits the figures)"
	}
	row("generator CPU", "%.0f %%%s", 100*r.Generator, note)

	if n := r.Faults.Total(); n > 0 {
		f := r.Faults
		row("FAULTS", "%d: %d lost, %d doubled, %d reordered, %d altered, %d misrouted, %d foreign, %d refused",
			n, f.Lost, f.Doubled, f.Reordered, f.Altered, f.Misrouted, f.Foreign, f.NoPartner)
	} else {
		row("faults", "none")
	}
	if len(r.Errors) == 0 {
		row("errors", "none")
	}
	for _, cause := range slices.Sorted(maps.Keys(r.Errors)) {
		row("errors", "%d  %s", r.Errors[cause], cause)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func quantiles(row func(string, string, ...any), name string, l *Latency) {
	if l == nil {
		return
	}
	d := func(us float64) time.Duration {
		v := time.Duration(us * 1e3)
		if v > time.Millisecond {
			return v.Round(10 * time.Microsecond)
		}
		return v.Round(100 * time.Nanosecond)
	}
	row(name, "p50 %v  p90 %v  p99 %v  p99.9 %v  max %v", d(l.P50), d(l.P90), d(l.P99), d(l.P999), d(l.Max))
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// String is the progress in one line of at most 80 characters.
func (p Progress) String() string {
	s := fmt.Sprintf("%6.1fs  %-10s  %d open", p.Elapsed.Seconds(), p.Phase, p.Connected)
	if p.Failed > 0 {
		s += fmt.Sprintf(", %d failed", p.Failed)
	}
	if p.Messages > 0 || p.PerSecond > 0 {
		s += fmt.Sprintf("  %.0f/s", p.PerSecond)
	}
	if p.Left > 0 {
		s += fmt.Sprintf("  %.0f s left", p.Left.Seconds())
	}
	return s
}
