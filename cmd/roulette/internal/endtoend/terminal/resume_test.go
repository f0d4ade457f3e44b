package terminal

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// TestChatOutlivesTheServer: the server is killed and started anew under two who talk by
// lines, again and again: every line is heard once and in order, and they are told.
func TestChatOutlivesTheServer(t *testing.T) {
	servertest.Parallel(t)
	state := filepath.Join(t.TempDir(), "state") // which the program makes for itself
	here := program.Launch{Args: []string{"--listen", "127.0.0.1:" + program.FreePort(t), "--state-dir", state}}
	p := here.Run(t)
	url := "ws://" + p.Await(t, program.Listening) + "/ws"
	people := [2]*script{startScript(t, url, "--plain"), startScript(t, url, "--plain")}
	for _, s := range people {
		s.hears("* Looking")
	}
	const each, kills = 40, 3
	var all sync.WaitGroup
	back := make(chan struct{}, len(people)*(kills+1)) // one is told that they met, or are back
	for i, s := range people {
		all.Go(func() {
			for n := range each {
				if _, err := fmt.Fprintf(s.in, "%d of %d\n", n, i); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			next, returns := 0, 0
			for line := range s.line {
				switch {
				case strings.HasPrefix(line, "Stranger: "):
					if want := fmt.Sprintf("Stranger: %d of %d", next, 1-i); line != want {
						t.Errorf("%q, want %q", line, want)
						return
					}
					next++
				case strings.HasPrefix(line, "* You are talking"), strings.HasPrefix(line, "* You are back"):
					returns++
					back <- struct{}{}
				case strings.HasPrefix(line, "* Connection lost"), line == "* The stranger is reconnecting…":
				case strings.HasPrefix(line, "* The stranger is back"), strings.HasPrefix(line, "* Dial tcp"):
				default:
					t.Errorf("told %q", line)
					return
				}
				if next == each && returns == kills+1 {
					return
				}
			}
			t.Errorf("ended after %d messages and %d returns: %s", next, returns, s.errs.String())
		})
	}
	for n := range kills + 1 {
		for range people {
			<-back
		}
		if n < kills {
			p.Kill(t)
			p = here.Run(t)
			p.Await(t, program.Listening)
		}
	}
	all.Wait()
	people[0].in.Close()
	people[1].hears("* The stranger has left.")
	people[0].end(program.OK)
	people[1].in.Close()
	people[1].end(program.OK)
}
