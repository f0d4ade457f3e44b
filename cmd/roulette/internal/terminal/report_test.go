package terminal

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/server"
	"roulette/cmd/roulette/internal/servertest"
)

type inbox chan safety.Report

func (i inbox) Take(r safety.Report) error {
	r.Lines = slices.Clone(r.Lines) // both are the server's again when this returns
	for n := range r.Lines {
		r.Lines[n].Payload = append([]byte(nil), r.Lines[n].Payload...)
	}
	i <- r
	return nil
}

// startSafe serves with --safety on.
func startSafe(t *testing.T) (addr string, reports inbox) {
	t.Helper()
	servertest.CheckLeaks(t)
	reports = make(inbox, 8)
	s, err := server.New(server.Config{Workers: 1, Safety: safety.On, Reports: reports})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	at, err := s.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	return at.String(), reports
}

func (p *person) reads(want string) {
	p.t.Helper()
	p.await(func(e Event) bool { return e.Kind == NotPossible && strings.Contains(e.Text, want) })
}

// TestReport: what is sent is shown first; in the middle of a chat and after it, however
// much was said.
func TestReport(t *testing.T) {
	for _, messages := range []int{1, 31, 32, 33, 50} {
		for _, stays := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d messages, stays=%t", messages, stays), func(t *testing.T) {
				addr, reports := startSafe(t)
				a, b := couple(t, addr)
				a.Report("spam")
				a.reads("nothing that you could report")
				for i := range messages {
					text := fmt.Sprint("buy ", i)
					b.says(text)
					a.hears(text)
				}
				if !stays {
					b.Stop()
					a.event(Parted)
				}
				a.Report("nonsense")
				a.reads("Say why")
				a.Report("spam he sells watches")
				a.reads("The moderators would read this")
				a.reads(fmt.Sprint("  buy ", messages-1))
				select {
				case r := <-reports:
					t.Fatalf("%+v was sent unasked", r)
				default:
				}
				a.Report("spam he sells watches")
				a.reads("The moderators have your report")
				r := <-reports
				if n := len(r.Lines); n == 0 || string(r.Lines[n-1].Payload) != fmt.Sprint("buy ", messages-1) || r.Reason != "spam" || r.Text != "he sells watches" {
					t.Errorf("%+v", r)
				}
				a.Report("spam he sells watches")
				a.reads("nothing that you could report")
			})
		}
	}
}

// TestBlock: whoever is blocked is left, and not met again.
func TestBlock(t *testing.T) {
	addr, _ := startSafe(t)
	a, b := couple(t, addr)
	a.Block()
	a.reads("You will not meet")
	b.event(Parted)
	a.Next(0)
	a.becomes(Looking)
	b.Next(0)
	b.becomes(Looking)
	c := join(t, addr)
	c.event(Paired)
	a.Stop()
	b.Stop()
}

func TestNobodyToBlock(t *testing.T) {
	a, _ := couple(t, start(t)) // a server without
	a.Block()
	a.reads("nobody whom you could block")
	a.Report("spam")
	a.reads("nothing that you could report")
}
