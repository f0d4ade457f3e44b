package server

import (
	"errors"
	"sync/atomic"

	"roulette/cmd/roulette/internal/proof"
	"roulette/cmd/roulette/internal/safety"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/netpoll"
)

// ProofMode is when newcomers are asked for a proof of work.
type ProofMode uint8

const (
	ProofAuto   ProofMode = iota // under pressure
	ProofOff                     // never
	ProofAlways                  // also when all is calm
)

var proofModes = [...]string{ProofAuto: "auto", ProofOff: "off", ProofAlways: "always"}

// String is m as it is set.
func (m ProofMode) String() string { return proofModes[m] }

// MarshalText implements [encoding.TextMarshaler].
func (m ProofMode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *ProofMode) UnmarshalText(text []byte) error {
	for i, name := range proofModes {
		if name == string(text) {
			*m = ProofMode(i)
			return nil
		}
	}
	return errors.New("auto, off or always")
}

// What is pressure, and what it costs.
const (
	proofHandshakes = 200    // a second, of clients that speak records
	proofBusy       = 0.9    // of all workers' time
	proofBots       = 10     // times that a rule has found somebody who speaks at once, in a look
	proofLook       = 1_000  // milliseconds between two looks
	proofCalm       = 60_000 // milliseconds without pressure until nobody is asked any more
	proofHarder     = 10_000 // milliseconds of pressure until it costs twice as much
	leastBits       = 5
	mostBits        = 7
)

// proofs is what a server asks newcomers for when there is more to do than it can.
type proofs struct {
	issuer *proof.Issuer
	queue  proof.Queue

	// Atomic.
	bits atomic.Int32  // how hard it is; 0: nobody is asked
	came atomic.Uint64 // clients that speak records
	work atomic.Int64  // of all workers, in nanoseconds

	// Owned by worker 0.
	looked, pressed, harder uint32 // Worker.Now
	handshakes, caught      uint64
	busy                    int64
}

// lookForPressure says how hard proofs are from now on. On worker 0.
func (h *handler) lookForPressure() {
	s, p, now := h.server, &h.server.proofs, h.worker.Now()
	if s.known == nil || s.config.Proof == ProofOff || p.looked != 0 && now-p.looked < proofLook {
		return
	}
	passed := max(now-p.looked, 1)
	first := p.looked == 0
	handshakes, busy := p.came.Load(), p.work.Load()
	acted := s.scores.ActedBy()
	caught := uint64(0)
	for i := range safety.Rules {
		if safety.Rules[i].Signal == safety.SpokeAtOnce {
			caught += acted[i]
		}
	}
	pressed := s.config.Proof == ProofAlways || s.pressure.Short() || !first && ((handshakes-p.handshakes)*1000 >= proofHandshakes*uint64(passed) ||
		float64(busy-p.busy) >= proofBusy*float64(passed)*1e6*float64(len(s.poller.Workers())) ||
		caught-p.caught >= proofBots)
	p.looked, p.handshakes, p.caught, p.busy = max(now, 1), handshakes, caught, busy
	switch bits := p.bits.Load(); {
	case pressed && bits == 0:
		s.log.Info("newcomers are asked for a proof of work")
		p.pressed, p.harder = now, now
		p.bits.Store(leastBits)
	case pressed:
		p.pressed = now
		if s.config.Proof == ProofAuto && now-p.harder >= proofHarder && bits < mostBits {
			p.harder = now
			p.bits.Store(bits + 1)
		}
	case bits != 0 && now-p.pressed >= proofCalm:
		s.log.Info("newcomers are asked for nothing any more")
		p.bits.Store(0)
	}
}

// noteWork notes how busy the worker was.
func (h *handler) noteWork() {
	busy := h.worker.Stats().Busy
	h.server.proofs.work.Add(int64(busy - h.busyBefore))
	h.busyBefore = busy
}

// asks asks c's client, if it is idle, for a proof before anybody is looked for, if that is due. True: it
// is not to look for anybody yet, or, if it cannot answer, first for others like it.
func (t *turn) asks() (asked, slow bool) {
	h, s := t.h, t.h.server
	bits := int(s.proofs.bits.Load())
	if bits == 0 || t.rich.wishes() != nil && t.rich.wishes().Table != "" || !s.scores.IsNew(h.judged(t.c).Person, s.clock()) {
		return false, false
	}
	if t.rich.can&record.CanProof == 0 {
		return false, true
	}
	if now, ok := s.pairs.Standing(seatOf(t.c), h.worker.Now()); !ok || now.Waiting || now.Paired {
		return false, false // what it asks for may have crossed a pairing, which is to end as always
	}
	p := s.proofs.issuer.Ask(t.rich.holder, bits, s.clock())
	h.counters.Proofs[metrics.ProofAsked]++
	t.answerRecord(record.AppendProof(h.notice[:0], p.Seed, p.Bits))
	t.writeBack()
	return true, false
}

// prove takes a proof. Whoever has sent one wants a partner, until they say otherwise.
func (t *turn) prove(cmd record.Command) {
	h, s, r := t.h, t.h.server, t.rich
	puzzle, err := s.proofs.issuer.Claim(cmd.Token, r.holder, s.clock())
	if err != nil {
		h.counters.Proofs[metrics.ProofForeign]++
		t.refuseRecord(record.ErrProofWrong)
		return
	}
	r.said.set(saidProof, true)
	w, own, life := h.worker, seatOf(t.c), r.life
	if !s.proofs.queue.Add(puzzle, cmd.Answers, func(right bool) {
		_ = w.Ask(func() { // of a worker that has ended nobody is there any more
			h := w.Handler().(*handler)
			if c := s.at(own).here; c != nil && isRich(c) && richOf(c).life == life {
				h.proved(c, right)
			}
		})
	}) {
		h.counters.Proofs[metrics.ProofBusy]++
		t.refuseRecord(record.ErrProofBusy)
	}
}

// proved lets c's client look for a partner, if its proof is right and it still wants to.
func (h *handler) proved(c *netpoll.Conn, right bool) {
	s, r := h.server, richOf(c)
	wants := r.said.has(saidProof)
	r.said.set(saidProof, false)
	if !right {
		h.counters.Proofs[metrics.ProofWrong]++
		c.Lock()
		h.noticeLocked(c, record.AppendError(h.notice[:0], record.ErrProofWrong))
		c.Unlock()
		return
	}
	h.counters.Proofs[metrics.ProofRight]++
	s.scores.Proved(h.judged(c).Person, s.clock())
	if now, ok := s.pairs.Standing(seatOf(c), h.worker.Now()); wants && ok && !now.Waiting && !now.Paired {
		h.seek(c)
	}
}
