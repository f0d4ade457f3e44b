package safety

import (
	"errors"
	"time"
)

// While a successor starts, the file has two processes: it has read the decisions of
// this one, which goes on to decide. What it decides meanwhile it tells the successor
// when all stands still.

// ErrLeft: another process decides now.
var ErrLeft = errors.New("another process has taken over just now: ask it")

// Decisions are what a process tells its successor.
type Decisions []*decision

// OpenBeside is Open while another process keeps its decisions in the file, which stays
// as it is: what would be left out of it is so at a later start.
func OpenBeside(path string, now time.Time) (b *Bans, broken int, err error) {
	return open(path, now, false)
}

// Note notes what is decided from here on, ahead of a successor's start, or no longer.
func (b *Bans) Note(is bool) {
	b.deciding.Lock()
	defer b.deciding.Unlock()
	b.noting, b.noted = is, nil
}

// Hold is what a successor has to know besides the file: what was noted, or, without a
// file, all that is in force. Nobody decides anything until End.
func (b *Bans) Hold(now time.Time) Decisions {
	b.deciding.Lock()
	if b.journal != nil {
		return b.noted
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.decisions(now)
}

// End is the end of Hold; left: nothing is decided here any more.
func (b *Bans) End(left bool) {
	b.left = left
	b.deciding.Unlock()
}

// Inherit puts in force what a predecessor has told; what the file has said already is
// so twice, which makes no difference.
func (b *Bans) Inherit(told Decisions) {
	for _, d := range told {
		b.enter(d)
	}
}
