package simulator

import (
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"
)

// Failure is a violation, and how to see it again.
type Failure struct {
	Seed  uint64
	What  string
	Step  int   // in which it happened; the number of steps if at the end
	Steps []int // that suffice, in order
	Trace string
}

func (f *Failure) Error() string {
	trace := f.Trace
	if lines := strings.SplitAfter(trace, "\n"); len(lines) > traceLines {
		trace = lines[0] + "…\n" + strings.Join(lines[len(lines)-traceLines:], "")
	}
	return fmt.Sprintf("seed %d, step %d: %s\n%d steps suffice: %v\n%s", f.Seed, f.Step, f.What, len(f.Steps), f.Steps, trace)
}

const traceLines = 300

// stage is where steps are made: a world, or several.
type stage interface {
	begins(step int)
	do(seed uint64)
	end()
	abandon()
	at() int
	describe() string
	tracef(format string, args ...any)
}

// opening makes a stage from its seed.
type opening func(seed uint64, trace io.Writer) (stage, error)

func oneServer(seed uint64, trace io.Writer) (stage, error)    { return newWorld(seed, trace) }
func severalNodes(seed uint64, trace io.Writer) (stage, error) { return newFleet(seed, trace) }

// Run makes so many steps, drawn from the seed, with a server of their own, and
// returns nil if nothing was violated. Otherwise it looks for few steps that do
// the same, for at most so long.
func Run(seed uint64, steps int, shrinking time.Duration) *Failure {
	return run(oneServer, seed, steps, shrinking)
}

// RunNodes is Run with several servers, which are the nodes of a cluster.
func RunNodes(seed uint64, steps int, shrinking time.Duration) *Failure {
	return run(severalNodes, seed, steps, shrinking)
}

func run(open opening, seed uint64, steps int, shrinking time.Duration) *Failure {
	what, at := play(open, seed, all(steps), nil)
	if what == "" {
		return nil
	}
	f := &Failure{Seed: seed, What: what, Step: at}
	f.Steps = shrink(all(min(at+1, steps)), time.Now().Add(shrinking), func(list []int) bool {
		again, _ := play(open, seed, list, nil)
		return shape(again) == shape(what)
	})
	var trace strings.Builder
	if what, _ := play(open, seed, f.Steps, &trace); what != "" {
		f.What = what
	}
	f.Trace = trace.String()
	return f
}

// shape is what a violation has in common with another of its kind: the text
// without the numbers.
func shape(what string) string {
	what, _, _ = strings.Cut(what, "\n")
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, what)
}

func all(steps int) []int {
	list := make([]int, steps)
	for i := range list {
		list[i] = i
	}
	return list
}

// play makes the steps of a run that are in the list. It returns the first
// violation and the step it happened in.
func play(open opening, seed uint64, list []int, trace io.Writer) (what string, at int) {
	w, err := open(seed, trace)
	if err != nil {
		return err.Error(), 0
	}
	defer func() {
		if r := recover(); r != nil {
			at = w.at()
			if v, ok := r.(violation); ok {
				what = v.what
			} else {
				what = fmt.Sprintf("panic: %v\n%s", r, debug.Stack())
			}
			w.tracef("%s", what)
		}
		w.abandon()
	}()
	w.tracef("plan %s", w.describe())
	for _, i := range list {
		w.begins(i)
		w.do(mix(seed + uint64(i)*0x9e3779b97f4a7c15))
	}
	w.begins(w.at() + 1)
	w.end()
	return "", 0
}

// shrink looks for a part of the list that still fails: it leaves out ever
// smaller pieces, the last ones first, as delta debugging does (Zeller and
// Hildebrandt, 2002).
func shrink(list []int, until time.Time, fails func([]int) bool) []int {
	for size := len(list) / 2; size > 0; {
		left := false
		for end := len(list); end > 0 && time.Now().Before(until); end -= size {
			begin := max(end-size, 0)
			without := append(append([]int(nil), list[:begin]...), list[end:]...)
			if fails(without) {
				list, left = without, true
			}
		}
		if !time.Now().Before(until) {
			break
		}
		if size > 1 || !left {
			size /= 2
		}
	}
	return list
}
