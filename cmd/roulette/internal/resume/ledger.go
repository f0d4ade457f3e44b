package resume

import "errors"

// The bounds of a Ledger's ring: what a client keeps for its partner to be told
// again.
const (
	RingMessages = 256
	RingBytes    = 256 << 10
)

// HaveEvery is after how many shown messages a client says how many there are.
const HaveEvery = 32

// ErrCount is a count that cannot be: the partner has shown what was not sent, or
// fewer than it said before. A chat with such a partner cannot be resumed.
var ErrCount = errors.New("impossible count")

// Message is a chat message as it was sent.
type Message struct {
	Binary  bool
	Payload []byte // the Ledger keeps it
}

// Ledger is a client's half: what it has sent of a chat, how far the partner has
// shown it, and how much of the partner it has shown itself. The zero value is
// that of a chat that begins.
type Ledger struct {
	ring      []Message // the latest sent, as far as they are kept
	bytes     int       // in ring
	sent      uint64    // messages of this chat
	delivered uint64    // of these the partner has shown
	shown     uint64    // messages of the partner
	said      uint64    // as many as the partner was told
}

// Sent notes a message and returns its number. When the ring is full the oldest
// is forgotten, so a partner that comes back late may miss it.
func (l *Ledger) Sent(m Message) (number uint64) {
	l.ring = append(l.ring, m)
	l.bytes += len(m.Payload)
	l.sent++
	for len(l.ring) > RingMessages || l.bytes > RingBytes && len(l.ring) > 1 {
		l.forget(1)
	}
	return l.sent
}

// forget drops the n oldest of the ring.
func (l *Ledger) forget(n int) {
	for i := range l.ring[:n] {
		l.bytes -= len(l.ring[i].Payload)
		l.ring[i] = Message{}
	}
	l.ring = l.ring[n:]
}

// Showed notes that a message of the partner was shown. True: it is time to say
// so ([Ledger.Have]).
func (l *Ledger) Showed() (due bool) {
	l.shown++
	return l.shown-l.said >= HaveEvery
}

// Have is how many messages of the partner were shown, and notes that the
// partner is told.
func (l *Ledger) Have() uint64 {
	l.said = l.shown
	return l.shown
}

// Unsaid reports whether messages were shown that the partner was not told of.
func (l *Ledger) Unsaid() bool { return l.shown != l.said }

// Delivered notes that the partner has shown n messages, and forgets them. A
// count that was overtaken by a later one changes nothing.
func (l *Ledger) Delivered(n uint64) error {
	if n > l.sent {
		return ErrCount
	}
	if n <= l.delivered {
		return nil
	}
	l.delivered = n
	if first := l.sent - uint64(len(l.ring)); n > first {
		l.forget(int(n - first))
	}
	return nil
}

// Open returns how many messages the partner has shown and how many were sent:
// those in between are on their way.
func (l *Ledger) Open() (delivered, sent uint64) { return l.delivered, l.sent }

// Replay returns what is to be sent again to a partner that has shown n messages:
// those from number from on. The lost ones before them, which it has not shown
// either, are not kept any more. The slice is the Ledger's.
func (l *Ledger) Replay(n uint64) (from, lost uint64, messages []Message, err error) {
	if n < l.delivered {
		return 0, 0, nil, ErrCount
	}
	if err := l.Delivered(n); err != nil {
		return 0, 0, nil, err
	}
	first := l.sent - uint64(len(l.ring))
	return first + 1, first - n, l.ring, nil
}

// Replayed notes that the partner sends again, beginning with its message number
// from, after lost ones that it has not kept. They are reported, and count as
// shown.
func (l *Ledger) Replayed(from, lost uint64) error {
	if lost >= from || from-1-lost != l.shown {
		return ErrCount
	}
	l.shown += lost
	return nil
}
