package admin

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
)

// inTemplates is what the pages write numbers with.
var inTemplates = template.FuncMap{
	"duration": humanDuration,
	"bytes":    humanBytes,
	"count":    humanCount,
	"percent":  func(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) },
	"share":    func(part, whole int) float64 { return float64(part) / float64(max(whole, 1)) },
	"ago":      func(t time.Time) string { return humanDuration(time.Since(t).Truncate(time.Second).Seconds()) + " ago" },
	"graph":    graph,
	"last":     last,
}

// humanDuration is a time with as many digits as one wants to read.
func humanDuration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%d d %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d >= time.Second:
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	case d >= time.Millisecond:
		return strconv.FormatFloat(float64(d.Round(100*time.Microsecond))/1e6, 'f', -1, 64) + " ms"
	case d > 0:
		return "under 1 ms"
	}
	return "0 s"
}

// humanBytes is a size, of any type of integer.
func humanBytes(n any) string {
	var v float64
	switch n := n.(type) {
	case int64:
		v = float64(n)
	case uint64:
		v = float64(n)
	}
	if v < 1024 {
		return fmt.Sprintf("%.0f B", v)
	}
	for _, unit := range []string{"KiB", "MiB", "GiB"} {
		if v /= 1024; v < 1024 || unit == "GiB" {
			return fmt.Sprintf("%.1f %s", v, unit)
		}
	}
	return ""
}

// humanCount is a number, of any type, with a comma between thousands; a fraction
// is shown of small ones only.
func humanCount(n any) string {
	var v float64
	switch n := n.(type) {
	case int:
		v = float64(n)
	case int64:
		v = float64(n)
	case uint64:
		v = float64(n)
	case float64:
		v = n
	}
	if v != math.Trunc(v) && v < 10 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	digits := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// columns are what can be drawn of a history.
var columns = map[string]func(Point) float64{
	"connections": func(p Point) float64 { return float64(p.Connections) },
	"pairs":       func(p Point) float64 { return float64(p.Pairs) },
	"waiting":     func(p Point) float64 { return float64(p.Waiting) },
	"messages":    func(p Point) float64 { return p.Messages },
	"accepted":    func(p Point) float64 { return p.Accepted },
	"refused":     func(p Point) float64 { return p.Refused },
	"busy":        func(p Point) float64 { return p.Busy },
}

// Of a graph, in the units of its viewBox.
const (
	graphWidth  = historyLength
	graphHeight = 20
)

// graph is the way of a polyline through a column of a history, now at the right
// and the largest value at the top.
func graph(history []Point, column string) string {
	value := columns[column]
	most := 0.0
	for _, p := range history {
		most = max(most, value(p))
	}
	var way strings.Builder
	for _, p := range history {
		x := graphWidth - p.Ago*1000/historyEvery
		y := float64(graphHeight)
		if most > 0 {
			y *= 1 - value(p)/most
		}
		fmt.Fprintf(&way, "%.1f,%.1f ", max(x, 0), y)
	}
	return strings.TrimSpace(way.String())
}

// last is a column's newest value; 0 if there is none yet.
func last(history []Point, column string) float64 {
	if len(history) == 0 {
		return 0
	}
	return columns[column](history[len(history)-1])
}
