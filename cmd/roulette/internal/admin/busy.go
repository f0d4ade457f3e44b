package admin

import "time"

// BusyMinute remembers how busy a worker was, every ten seconds for a minute.
// Owned by the worker.
type BusyMinute struct {
	samples [7]struct {
		at   uint32 // milliseconds
		busy time.Duration
	}
	count int // of samples; the newest is the last
}

const busyEvery = 10_000 // milliseconds

// Note is called at each tick, with the time in milliseconds and how long the
// worker has been busy so far.
func (b *BusyMinute) Note(now uint32, busy time.Duration) {
	if b.count > 0 && now-b.samples[b.count-1].at < busyEvery {
		return
	}
	if b.count == len(b.samples) {
		copy(b.samples[:], b.samples[1:])
		b.count--
	}
	b.samples[b.count].at, b.samples[b.count].busy = now, busy
	b.count++
}

// Share is the part of the time since the oldest sample that was busy.
func (b *BusyMinute) Share(now uint32, busy time.Duration) float64 {
	if b.count == 0 || now == b.samples[0].at {
		return 0
	}
	passed := time.Duration(now-b.samples[0].at) * time.Millisecond
	return min(max(float64(busy-b.samples[0].busy)/float64(passed), 0), 1)
}
