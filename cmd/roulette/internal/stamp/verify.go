package stamp

import (
	"crypto/subtle"
	"errors"
	"time"

	"github.com/gobwas/ws"

	"roulette/cmd/roulette/internal/safety"
	"roulette/frame"
)

// Why a report is refused.
var (
	ErrUntrue = errors.New("not what was relayed")
	ErrLate   = errors.New("too late")
	ErrBounds = errors.New("no message, or too many")
)

// Run is what is said to have been relayed: the messages from one mark to another.
type Run struct {
	Opening  string
	From, To string // marks; From is empty for the beginning of the chain
	Messages []safety.Line
}

// Verify says whether the messages of a run are exactly those that were relayed between
// its marks, the last of them not long ago, and to whom from whom (T2).
func (s *Stamper) Verify(r *Run, now time.Time) (o Opening, err error) {
	size := 0
	for i := range r.Messages {
		size += len(r.Messages[i].Payload)
	}
	if len(r.Messages) == 0 || len(r.Messages) > safety.MaxLines || size > safety.MaxLineBytes {
		return o, ErrBounds
	}
	opening, ok := s.open(kindOpening, r.Opening)
	if !ok {
		return o, ErrUntrue
	}
	from := opened{process: opening.process, number: opening.number}
	if r.From != "" {
		if from, ok = s.open(kindMark, r.From); !ok {
			return o, ErrUntrue
		}
	}
	to, ok := s.open(kindMark, r.To)
	if !ok || from.process != opening.process || from.number != opening.number ||
		to.process != opening.process || to.number != opening.number || to.n-from.n != uint32(len(r.Messages)) {
		return o, ErrUntrue
	}
	if age := now.Sub(to.at); age > safety.ReportWithin || age < -time.Minute {
		return o, ErrLate
	}
	run := s.runOf(opening.process)
	c := Chain{number: opening.number, n: from.n, tag: from.tag}
	var w Scratch
	var written []byte
	for i := range r.Messages {
		m := &r.Messages[i]
		written = frame.AppendMessage(written[:0], ws.OpCode(m.Op), m.Payload)
		s.link(&run, &c, written, &w)
	}
	clear(written)
	if subtle.ConstantTimeCompare(c.tag[:], to.tag[:]) != 1 {
		return o, ErrUntrue
	}
	return opening.Opening, nil
}
