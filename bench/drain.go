//go:build linux

package bench

import (
	"slices"
	"strconv"
	"time"
)

// Drained is how a server sent its clients away.
type Drained struct {
	// Goodbyes are the connections that ended as they should: a close frame with
	// code 1001, whole, then the end of the stream and no reset. All others are in
	// Result.Errors, or in Left: still open when the measurement ended.
	Goodbyes int `json:"goodbyes"`
	Left     int `json:"left"`

	LoadPerSecond float64 `json:"load_per_second"` // messages, before Config.Begin
	FirstSeconds  float64 `json:"first_seconds"`   // from Config.Begin to the first 1001
	SpreadSeconds float64 `json:"spread_seconds"`  // from the first 1001 to the last
	Tenths        [10]int `json:"tenths"`          // how many came in each tenth of that
}

// lastsOnePartner reports whether a client keeps its partner for the whole run.
func (c *Config) lastsOnePartner() bool { return c.Mode != Churn && c.Mode != Drain }

// farewell takes a close frame of the server with this code.
func (l *loop) farewell(c *client, code int, now int64) {
	if l.run.config.Mode != Drain || code != 1001 {
		l.end(c, "closed by the server: "+strconv.Itoa(code))
		return
	}
	l.goodbyes = append(l.goodbyes, now)
	l.scratch = l.stencil.appendControl(l.scratch[:0], 8, c.in.control)
	l.push(c, l.scratch)
	if c.state != open {
		return
	}
	// The server's next move is the end of the stream: a reset may have destroyed
	// what others had not read yet.
	c.state = parting
	l.open--
	l.parting++
	if c.ready {
		l.ready--
	}
}

// parted takes what one read brought after the close frame: n bytes, 0 being the
// end that there should be.
func (l *loop) parted(c *client, n int) {
	if n > 0 {
		l.end(c, "bytes behind the close frame")
		return
	}
	l.clean++
	l.end(c, "")
}

// drained sums up what the loops, which have ended, saw of the drain.
func (r *run) drained(res *Result) {
	if r.config.Mode != Drain {
		return
	}
	d := res.Drained
	var at []int64
	for _, l := range r.loops {
		at = append(at, l.goodbyes...)
		d.Goodbyes += l.clean
	}
	if len(at) == 0 {
		return
	}
	first, last := slices.Min(at), slices.Max(at)
	d.FirstSeconds = time.Duration(first - r.measureFrom.Load()).Seconds()
	d.SpreadSeconds = time.Duration(last - first).Seconds()
	for _, t := range at {
		d.Tenths[min((t-first)*10/max(last-first, 1), 9)]++
	}
}
