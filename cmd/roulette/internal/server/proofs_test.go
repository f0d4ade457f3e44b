package server

import (
	"math"
	"testing"

	"roulette/cmd/roulette/internal/proof"
	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/frame/record"
	"roulette/metrics"
)

const canProve = record.CanProof | record.CanBlock

// asking starts a server that asks everybody who is new.
func asking(t *testing.T) (*Server, string) {
	s, addr := start(t, Config{Safety: safety.On, Proof: ProofAlways})
	servertest.Await(t, "newcomers to be asked", func() bool { return s.proofs.bits.Load() > 0 })
	return s, addr
}

// asked has p look for a partner, and returns what it is asked.
func (p *person) asked() proof.Puzzle {
	p.t.Helper()
	p.next()
	e := p.event("proof")
	p.event("waiting")
	return proof.Puzzle{Seed: e.Token, Bits: e.Bits}
}

func (p *person) proves(puzzle proof.Puzzle, a proof.Answers) {
	p.t.Helper()
	p.command(record.Command{Kind: record.Proof, Token: puzzle.Seed, Answers: a})
}

// TestProof: who is new meets somebody when they have proved some work, and is asked once.
func TestProof(t *testing.T) {
	s, addr := asking(t)
	a, _ := dialGreeting(t, addr, canProve)
	b, _ := dialGreeting(t, addr, canProve)
	puzzle := a.asked()
	if s.pairs.Waiting() != 0 {
		t.Error("somebody is looked for before the proof")
	}
	answers, _ := puzzle.Solve(nil)
	a.proves(puzzle, answers)
	a.event("waiting")
	puzzle = b.asked()
	answers, _ = puzzle.Solve(nil)
	b.proves(puzzle, answers)
	b.event("paired")
	a.event("paired")
	a.next()
	a.event("waiting")
	b.event("left")
	a.proves(puzzle, answers)
	a.refused("proof_wrong")
}

// TestWrongProofs: what is wrong, another's, or comes twice is refused, and nobody is
// looked for; whoever stops meanwhile is left alone.
func TestWrongProofs(t *testing.T) {
	s, addr := asking(t)
	a, _ := dialGreeting(t, addr, canProve)
	b, _ := dialGreeting(t, addr, canProve)
	puzzle := a.asked()
	answers, _ := puzzle.Solve(nil)
	b.proves(puzzle, answers)
	b.refused("proof_wrong")
	wrong := answers
	for wrong[7]++; puzzle.Verify(&wrong); wrong[7]++ {
	}
	a.proves(puzzle, wrong)
	a.refused("proof_wrong")
	a.proves(puzzle, answers) // the one claim is gone
	a.refused("proof_wrong")
	puzzle = a.asked()
	answers, _ = puzzle.Solve(nil)
	a.command(record.Command{Kind: record.Stop})
	a.proves(puzzle, answers)
	a.command(record.Command{Kind: record.Stop})
	servertest.Await(t, "the proof to be seen", func() bool {
		return total(t, s, func(c *metrics.Counters) uint64 { return c.Proofs[metrics.ProofRight] }) == 1
	})
	if n := s.pairs.Waiting(); n != 0 {
		t.Errorf("%d wait, who have stopped", n)
	}
	if n := total(t, s, func(c *metrics.Counters) uint64 { return c.Proofs[metrics.ProofWrong] }); n != 1 {
		t.Errorf("%d wrong ones are counted", n)
	}
}

// TestCannotProve: a client that knows no proofs is asked for none, and meets others like
// itself first.
func TestCannotProve(t *testing.T) {
	s, addr := asking(t)
	a, b := dialRich(t, addr), dialRich(t, addr)
	good, _ := dialGreeting(t, addr, canProve)
	puzzle := good.asked()
	answers, _ := puzzle.Solve(nil)
	good.proves(puzzle, answers)
	good.event("waiting")
	a.next()
	a.event("waiting")
	b.next()
	b.event("paired")
	if s.pairs.Waiting() != 1 {
		t.Error("who has proved some work has met one who has not")
	}
	friend, _ := dialGreeting(t, addr, canProve)
	table := "Ada's"
	friend.command(record.Command{Kind: record.Next, HasTable: true, Table: table})
	friend.event("waiting") // and is asked for nothing: it meets whom it knows
}

// TestProofsUnderPressure: calm, nobody is asked; when many come at once somebody is, and it becomes
// harder while they do, and ends.
func TestProofsUnderPressure(t *testing.T) {
	k := newStoppedClock()
	s, addr := start(t, Config{Kernel: k, Workers: 1, Safety: safety.On})
	a, _ := dialGreeting(t, addr, canProve)
	look := func(many uint64, want int32) {
		t.Helper()
		s.proofs.came.Add(many)
		// The clock may jump in the middle of what the worker does, which is a second
		// of work then: no look compares it.
		_ = s.poller.Workers()[0].Ask(func() { s.proofs.busy = math.MaxInt64 / 2 })
		before := s.poller.Workers()[0].Time()
		k.advance(t, s, proofLook*1e6)
		servertest.Await(t, "a look", func() bool {
			var looked uint32
			done := make(chan struct{})
			_ = s.poller.Workers()[0].Ask(func() { looked = s.proofs.looked; close(done) })
			<-done
			return looked > milliseconds(before)
		})
		if got := s.proofs.bits.Load(); got != want {
			t.Fatalf("%d bits, want %d", got, want)
		}
	}
	look(0, 0)
	look(proofHandshakes/2, 0)
	a.next()
	a.event("waiting")
	look(3*proofHandshakes, leastBits)
	for range 9 {
		look(3*proofHandshakes, leastBits)
	}
	look(3*proofHandshakes, leastBits+1)
	for range 59 {
		look(0, leastBits+1)
	}
	look(0, 0)
}

// proofs are asked for, and right, wrong, foreign, or too many.
func (a *audit) proofs(t *testing.T) {
	s, addr := asking(t)
	x, _ := dialGreeting(t, addr, canProve)
	puzzle := x.asked()
	answers, _ := puzzle.Solve(nil)
	x.proves(puzzle, answers)
	x.event("waiting")
	y, _ := dialGreeting(t, addr, canProve)
	y.proves(puzzle, answers)
	y.refused("proof_wrong")
	puzzle = y.asked()
	answers, _ = puzzle.Solve(nil)
	for answers[0]++; puzzle.Verify(&answers); answers[0]++ {
	}
	y.proves(puzzle, answers)
	y.refused("proof_wrong")
	puzzle = y.asked()
	held, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	s.proofs.queue.Add(proof.Puzzle{}, proof.Answers{}, func(bool) { close(held); <-release })
	<-held
	for s.proofs.queue.Add(proof.Puzzle{Bits: proof.MaxBits}, proof.Answers{}, func(bool) {}) {
	}
	y.proves(puzzle, answers)
	y.refused("proof_busy")
	a.awaits(t, s, "safety_proof_difficulty{}", "safety_proofs_total{result=asked}", "safety_proofs_total{result=right}", "safety_proofs_total{result=wrong}",
		"safety_proofs_total{result=foreign}", "safety_proofs_total{result=busy}")
}
