//go:build linux

package bench

import (
	"errors"
	"fmt"
	"time"
)

// A Result is what one run saw.
type Result struct {
	Mode        Mode      `json:"mode"`
	URL         string    `json:"url"`
	Date        time.Time `json:"date"`
	Connections int       `json:"connections"`    // asked for
	Idle        int       `json:"idle,omitempty"` // further ones, asked for
	Size        int       `json:"size_bytes"`

	Connected      int     `json:"connected"`       // open when the measurement ended
	ConnectSeconds float64 `json:"connect_seconds"` // spent until all were
	Seconds        float64 `json:"seconds"`         // of the measurement

	Messages     uint64   `json:"messages"` // received in the measurement
	PerSecond    float64  `json:"messages_per_second"`
	MiBPerSecond float64  `json:"mib_per_second"`    // payload
	Latency      *Latency `json:"latency,omitempty"` // one way, from the intended time of sending; every 64th of a Stream

	Handshakes          uint64   `json:"handshakes"` // in the measurement for Handshakes and Churn, else of all
	HandshakesPerSecond float64  `json:"handshakes_per_second,omitempty"`
	HandshakeLatency    *Latency `json:"handshake_latency,omitempty"` // from connect to 101
	Sessions            uint64   `json:"sessions,omitempty"`          // Churn: in the measurement
	Stalled             int      `json:"stalled,omitempty"`           // Slow: receivers that stopped reading

	Drained *Drained          `json:"drained,omitempty"` // Drain
	Faults  Faults            `json:"faults"`
	Errors  map[string]uint64 `json:"errors,omitempty"` // connections that failed or ended, by cause
	Sorry   uint64            `json:"sorry"`            // answers that there is no partner
	Pings   uint64            `json:"pings"`            // answered

	Server    *Server `json:"server,omitempty"` // when its PID was given
	Generator float64 `json:"generator_busy"`   // of its threads' time, 1 is all
}

// Server is what the server's process used.
type Server struct {
	Start  Sample `json:"start"`  // before the first connection
	Before Sample `json:"before"` // at the beginning of the measurement
	After  Sample `json:"after"`  // at its end
	End    Sample `json:"end"`    // Idle: when all had gone

	Steps           []Step  `json:"steps,omitempty"`                // Idle
	BytesPerConn    float64 `json:"bytes_per_connection,omitempty"` // slope of Own over the steps, see [Slope]
	CalmPerConn     float64 `json:"calm_bytes_per_connection,omitempty"`
	ResidentPerConn float64 `json:"rss_per_connection,omitempty"` // with what the program has touched of itself meanwhile
	Busy            float64 `json:"busy"`                         // CPUs in the measurement
	CPUPerMessage   float64 `json:"cpu_us_per_message,omitempty"`
	CPUPerHandshake float64 `json:"cpu_us_per_handshake,omitempty"`
	GrowthPerStall  float64 `json:"bytes_per_stalled_pair,omitempty"` // Slow
}

// A Step is the server's memory with so many connections.
type Step struct {
	Connections int   `json:"connections"`
	RSS         int64 `json:"rss_bytes"`
	Own         int64 `json:"own_bytes"`
	CalmOwn     int64 `json:"calm_own_bytes,omitempty"` // after Config.Calm
}

// Err reports messages that were not treated as they must be, and connections that
// failed. A Result without them has none, whatever its figures.
func (r *Result) Err() error {
	var errs []error
	if n := r.Faults.Total(); n > 0 {
		errs = append(errs, fmt.Errorf("bench: %d faults: %+v", n, r.Faults))
	}
	for cause, n := range r.Errors {
		errs = append(errs, fmt.Errorf("bench: %d connections: %s", n, cause))
	}
	return errors.Join(errs...)
}

func (r *run) newResult() *Result {
	c := &r.config
	return &Result{
		Mode: c.Mode, URL: c.URL, Date: r.began.UTC(), Connections: c.Connections,
		Idle: c.Idle, Size: c.Size, Errors: make(map[string]uint64),
	}
}

func (r *Result) server() *Server {
	if r.Server == nil {
		r.Server = new(Server)
	}
	return r.Server
}

// measured takes the difference that the measurement made.
func (r *Result) measured(before, after total, s, s2 Sample, took time.Duration) {
	r.Seconds = took.Seconds()
	r.Connected = after.open
	r.Messages = after.received - before.received
	r.PerSecond = float64(r.Messages) / r.Seconds
	r.MiBPerSecond = r.PerSecond * float64(r.Size) / (1 << 20)
	r.Handshakes = after.handshakes
	r.Sessions = after.sessions - before.sessions
	if r.Mode == Handshakes || r.Mode == Churn {
		r.Handshakes -= before.handshakes
		r.HandshakesPerSecond = float64(r.Handshakes) / r.Seconds
	}
	if r.Server == nil {
		return
	}
	v := r.Server
	v.Before, v.After = s, s2
	cpu := s2.CPU - s.CPU
	v.Busy = cpu.Seconds() / r.Seconds
	us := float64(cpu) / float64(time.Microsecond)
	switch {
	case r.Mode == Handshakes && r.Handshakes > 0:
		v.CPUPerHandshake = us / float64(r.Handshakes)
	case r.Messages > 0:
		v.CPUPerMessage = us / float64(r.Messages)
	}
	steps := v.Steps
	if len(steps) == 1 { // all at once: beside nobody
		steps = []Step{{RSS: v.Start.RSS, Own: v.Start.Own, CalmOwn: v.Start.Own}, steps[0]}
	}
	v.BytesPerConn = Slope(steps, func(s Step) int64 { return s.Own })
	v.ResidentPerConn = Slope(steps, func(s Step) int64 { return s.RSS })
	if r.Mode == Idle && len(steps) > 0 && steps[len(steps)-1].CalmOwn > 0 {
		v.CalmPerConn = Slope(steps, func(s Step) int64 { return s.CalmOwn })
	}
}

// Slope is what each further connection costs: that of the line which fits best
// through the memory of all steps, 0 if they are fewer than two.
func Slope(steps []Step, memory func(Step) int64) float64 {
	var x, y, xx, xy float64
	for _, s := range steps {
		n, m := float64(s.Connections), float64(memory(s))
		x, y, xx, xy = x+n, y+m, xx+n*n, xy+n*m
	}
	n := float64(len(steps))
	if d := n*xx - x*x; d > 0 {
		return (n*xy - x*y) / d
	}
	return 0
}

// collect takes what the loops kept to themselves. They have ended.
func (r *run) collect(res *Result) {
	var latencies, connects histogram
	var busy time.Duration
	for _, l := range r.loops {
		latencies.merge(&l.latencies)
		connects.merge(&l.connects)
		res.Faults.add(l.faults)
		for cause, n := range l.errors {
			res.Errors[cause] += n
		}
		res.Sorry += l.sorry
		res.Pings += l.pings
		busy += l.cpu
	}
	res.Faults.Lost += r.lost()
	r.drained(res)
	res.ConnectSeconds = r.connecting.Seconds()
	res.Latency = latencies.latency()
	res.HandshakeLatency = connects.latency()
	res.Generator = busy.Seconds() / res.Seconds / float64(len(r.loops))
	if res.Stalled = int(r.stalled.Load()); res.Stalled > 0 && res.Server != nil {
		grown := res.Server.After.RSS - res.Server.Before.RSS
		res.Server.GrowthPerStall = float64(grown) / float64(res.Stalled)
	}
}
