package main

import (
	"fmt"
	"math"
	"strings"
)

// result is what was measured of one world.
type result struct {
	waits   [400]int64 // by bucket: 20 to a factor of ten, from a millisecond
	longest int
	chats   int64
	across  int64
	shared  int64
	bus     float64
}

func (r *result) wait(ms int) {
	r.longest = max(r.longest, ms)
	r.waits[min(bucket(ms), len(r.waits)-1)]++
}

func bucket(ms int) int {
	if ms < 1 {
		return 0
	}
	return 1 + int(20*math.Log10(float64(ms)))
}

// quantile is an upper bound of the wait that a share q of people have had, in
// milliseconds.
func (r *result) quantile(q float64) float64 {
	var all, seen int64
	for _, n := range r.waits {
		all += n
	}
	for i, n := range r.waits {
		if seen += n; float64(seen) >= q*float64(all) {
			if i == 0 {
				return 0
			}
			return math.Pow(10, float64(i)/20)
		}
	}
	return 0
}

// world's row of the table.
type row struct {
	people, nodes, latency int
	likes                  bool
	*result
}

func (r row) String() string {
	likes := "no"
	if r.likes {
		likes = "yes"
	}
	chats := max(float64(r.chats), 1)
	return fmt.Sprintf("| %s | %d | %d ms | %s | %s | %s | %s | %.1f %% | %.1f %% | %.2f |",
		thousands(r.people), r.nodes, r.latency, likes, seconds(r.quantile(.5)), seconds(r.quantile(.99)), seconds(r.quantile(.999)),
		100*float64(r.across)/chats, 100*float64(r.shared)/chats, r.bus/chats)
}

const heading = `| people | nodes | bus | interests | wait p50 | p99 | p99.9 | chats across nodes | sharing an interest | bus messages a chat |
|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|`

func seconds(ms float64) string {
	switch {
	case ms == 0:
		return "0"
	case ms < 995:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// picture draws the 99th percentile of the wait against the number of people, a
// line for each number of nodes: without interests on the left, with them on the
// right.
func picture(rows []row) string {
	const width, height, margin = 420, 300, 50
	x := func(people int) float64 { return margin + (math.Log10(float64(people))-2)/5*(width-2*margin) }
	y := func(ms float64) float64 { return height - margin - math.Log10(max(ms, 5)/5)/4.3*(height-2*margin) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", 2*width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", 2*width, height)
	for side, likes := range []bool{false, true} {
		fmt.Fprintf(&b, `<g transform="translate(%d)">`+"\n", side*width)
		title := "p99 of the wait, nobody has interests"
		if likes {
			title = "p99 of the wait, 60 % have interests"
		}
		fmt.Fprintf(&b, `<text x="%d" y="25" font-size="14">%s</text>`+"\n", margin, title)
		for people := 100; people <= 10_000_000; people *= 10 {
			fmt.Fprintf(&b, `<line x1="%.0f" x2="%.0f" y1="%d" y2="%d" stroke="#eee"/>`, x(people), x(people), margin, height-margin)
			fmt.Fprintf(&b, `<text x="%.0f" y="%d" text-anchor="middle">10<tspan dy="-5" font-size="9">%.0f</tspan></text>`+"\n", x(people), height-margin+18, math.Log10(float64(people)))
		}
		for _, ms := range []float64{5, 50, 500, 5000, 50_000} {
			fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.0f" y2="%.0f" stroke="#eee"/>`, margin, width-margin, y(ms), y(ms))
			fmt.Fprintf(&b, `<text x="%d" y="%.0f" text-anchor="end">%s</text>`+"\n", margin-5, y(ms)+4, seconds(ms))
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">people</text>`+"\n", width/2, height-12)
		for i, nodes := range []int{1, 10, 100} {
			color := []string{"#1b6ca8", "#d1781b", "#a32020"}[i]
			var points []string
			for _, r := range rows {
				if r.nodes == nodes && r.likes == likes && (r.latency == 1 || nodes == 1) {
					points = append(points, fmt.Sprintf("%.1f,%.1f", x(r.people), y(r.quantile(.99))))
				}
			}
			fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`, strings.Join(points, " "), color)
			fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s" text-anchor="end">%d node(s)</text>`+"\n", width-margin, margin+15*(i+1), color, nodes)
		}
		b.WriteString("</g>\n")
	}
	return b.String() + "</svg>\n"
}
