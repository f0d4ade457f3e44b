package pairing

// wheel holds appointments: clients that are to be looked at again when they
// have waited long enough. Guarded by its shard. An appointment is not called
// off; whoever keeps it looks whether it still means anything.
type wheel struct {
	slots   [wheelSlots][]appointment
	next    uint32 // the first slot, counted from time 0, that was not taken yet
	started bool   // next has a meaning
}

// appointment is one of a client for the wait that began at since; when that is
// over it means nothing.
type appointment struct{ id, since uint32 }

const (
	wheelSlots = 128 // 32 s: twice the longest patience
	slotBits   = 8   // 256 ms each
)

// add makes an appointment for a time, in milliseconds, at most half a turn
// ahead. It is kept up to a slot late, never early. If the time lies before the
// last take, because the caller's clock runs behind, it goes into the next slot.
func (w *wheel) add(a appointment, at uint32) {
	at >>= slotBits
	if w.started && w.isPast(at) {
		at = w.next
	}
	slot := &w.slots[at%wheelSlots]
	*slot = append(*slot, a)
}

// slotNumbers: slots are counted modulo this much and one.
const slotNumbers = 1<<(32-slotBits) - 1

// isPast tells whether a slot was taken.
func (w *wheel) isPast(slot uint32) bool { return (slot-w.next)&slotNumbers > slotNumbers/2 }

// take returns the appointments whose time has come.
func (w *wheel) take(now uint32) (due []appointment) {
	now >>= slotBits
	if !w.started {
		w.started, w.next = true, now-wheelSlots
	}
	if w.isPast(now) { // an earlier time than that of the last call
		return nil
	}
	for i := range min((now-w.next)&slotNumbers, wheelSlots) {
		slot := &w.slots[(w.next+i)%wheelSlots]
		due = append(due, *slot...)
		*slot = nil
	}
	w.next = now
	return due
}
