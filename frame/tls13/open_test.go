package tls13

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// story is a stream with everything in it that may come, and the data of it.
func story(r *reference) (stream, data []byte) {
	say := func(n, padding int, fill byte) {
		b := bytes.Repeat([]byte{fill}, n)
		stream = append(stream, r.record(23, b, padding)...)
		data = append(data, b...)
	}
	say(1, 0, 'a')
	say(0, 0, 0)
	say(30, 7, 'b')
	stream = append(stream, r.keyUpdate(0)...)
	say(0, 40, 0)
	say(64, 0, 'c')
	stream = append(stream, r.record(22, []byte{24, 0}, 3)...) // a KeyUpdate in pieces
	stream = append(stream, r.record(22, []byte{0, 1}, 0)...)
	stream = append(stream, r.record(22, []byte{1}, 0)...)
	r.next()
	stream = append(stream, r.record(21, []byte{1, byte(UserCanceled)}, 0)...)
	say(500, 0, 'd')
	stream = append(stream, r.record(21, []byte{1, byte(CloseNotify)}, 0)...)
	return stream, data
}

// stream feeds a session pieces as they come from a socket: what is the beginning
// of a record stays in front of the next.
type stream struct {
	session *Session
	keys    *Keys
	pending []byte
	data    []byte
	owes    bool
	err     error
}

func (s *stream) feed(piece []byte) {
	if s.err != nil {
		return
	}
	s.pending = append(s.pending, piece...)
	o := openAll(s.session, s.keys, s.pending)
	s.data = append(s.data, o.data...)
	s.pending = append([]byte(nil), s.pending[o.used:]...)
	s.owes = s.owes || o.owes
	s.err = o.err
}

// TestCuts: however a stream is cut, what comes out is the same.
func TestCuts(t *testing.T) {
	forSuites(t, func(t *testing.T, suite uint16) {
		whole, data := story(sender(suite))
		check := func(name string, pieces ...[]byte) {
			t.Helper()
			s := stream{session: newSession(t, suite, false), keys: NewKeys(4)}
			for _, p := range pieces {
				s.feed(bytes.Clone(p))
			}
			content, _ := receiver(suite).open(t, s.session.AppendEnd(s.keys, nil))
			if !bytes.Equal(content, []byte{1, byte(CloseNotify)}) {
				t.Errorf("%s: close_notify is answered with % x", name, content)
			}
			if s.err != io.EOF || !bytes.Equal(s.data, data) || !s.owes || len(s.pending) != 0 {
				t.Fatalf("%s: %d of %d bytes, owes %v, %d left, %v", name, len(s.data), len(data), s.owes, len(s.pending), s.err)
			}
		}
		check("whole", whole)
		for i := range whole {
			check("cut in two", whole[:i], whole[i:])
		}
		var bytewise [][]byte
		for i := range whole {
			bytewise = append(bytewise, whole[i:i+1])
		}
		check("bytes", bytewise...)
	})
}

// TestTampered: a record of which any one byte is another is no record, and nothing
// of it comes out; nor of what stands behind it.
func TestTampered(t *testing.T) {
	forSuites(t, func(t *testing.T, suite uint16) {
		r := sender(suite)
		first := r.record(23, []byte("before"), 0)
		victim := r.record(23, []byte("a message that somebody has changed"), 5)
		after := append(r.record(23, []byte("after"), 0), make([]byte, 1<<16)...)
		for i := range victim {
			for _, change := range []byte{0x01, 0x80, 0xff} {
				b := append(append(bytes.Clone(first), victim...), after...)
				b[len(first)+i] ^= change
				s, k := newSession(t, suite, false), NewKeys(4)
				o := openAll(s, k, b)
				var e *Error
				if !errors.As(o.err, &e) || e.Remote {
					t.Fatalf("byte %d ^ %#x: %v", i, change, o.err)
				}
				want := BadRecordMAC
				switch n := int(b[len(first)+3])<<8 | int(b[len(first)+4]); {
				case i == 0:
					want = UnexpectedMessage
				case n > mostSealed:
					want = RecordOverflow
				}
				if e.Alert != want {
					t.Errorf("byte %d ^ %#x: %v, want %v", i, change, e, want)
				}
				if string(o.data) != "before" {
					t.Errorf("byte %d ^ %#x: data %q", i, change, o.data)
				}
			}
		}
	})
}

// TestOrder: a record opens in its place only.
func TestOrder(t *testing.T) {
	forSuites(t, func(t *testing.T, suite uint16) {
		r := sender(suite)
		a, b := r.record(23, []byte("a"), 0), r.record(23, []byte("b"), 0)
		for name, order := range map[string][]byte{
			"exchanged": append(bytes.Clone(b), a...),
			"left out":  bytes.Clone(b),
			"repeated":  append(append([]byte(nil), a...), a...),
		} {
			o := openAll(newSession(t, suite, false), NewKeys(4), order)
			if o.err != error(errMAC) || bytes.Contains(o.data, []byte("b")) || len(o.data) > 1 {
				t.Errorf("%s: %q, %v", name, o.data, o.err)
			}
		}
	})
}

// TestMisuse: what the record layer does not take, and what it says.
func TestMisuse(t *testing.T) {
	overflow := make([]byte, MostData+1)
	overflow[0] = 1
	for _, c := range []struct {
		name   string
		client bool
		stream func(r *reference) []byte
		want   Alert
		remote bool
	}{
		{"5: a change_cipher_spec behind the handshake", false, func(*reference) []byte { return []byte{20, 3, 3, 0, 1, 1} }, UnexpectedMessage, false},
		{"5.1: an alert in the clear", false, func(*reference) []byte { return []byte{21, 3, 3, 0, 2, 1, 0} }, UnexpectedMessage, false},
		{"5.1: HTTP in the clear, by its first byte", false, func(*reference) []byte { return []byte("G") }, UnexpectedMessage, false},
		{"5.2: a record that is too long, by its header", false, func(*reference) []byte { return []byte{23, 3, 3, 0x41, 0x01} }, RecordOverflow, false},
		{"5.2: an empty record", false, func(*reference) []byte { return []byte{23, 3, 3, 0, 0} }, BadRecordMAC, false},
		{"5.2: a record that is all tag", false, func(*reference) []byte { return append([]byte{23, 3, 3, 0, 16}, make([]byte, 16)...) }, BadRecordMAC, false},
		{"5.2: content that is too long", false, func(r *reference) []byte { return r.record(23, overflow, 0) }, RecordOverflow, false},
		{"5.4: content and padding that are too long", false, func(r *reference) []byte { return r.record(23, []byte("x"), MostData) }, RecordOverflow, false},
		{"5.4: nothing but padding", false, func(r *reference) []byte { return r.record(0, nil, 9) }, UnexpectedMessage, false},
		{"5.1: an unknown type", false, func(r *reference) []byte { return r.record(24, []byte("x"), 0) }, UnexpectedMessage, false},
		{"5: a change_cipher_spec inside", false, func(r *reference) []byte { return r.record(20, []byte{1}, 0) }, UnexpectedMessage, false},
		{"6: half an alert", false, func(r *reference) []byte { return r.record(21, []byte{1}, 0) }, DecodeError, false},
		{"6: two alerts in a record", false, func(r *reference) []byte { return r.record(21, []byte{1, 90, 1, 0}, 0) }, DecodeError, false},
		{"6: no alert in an alert record", false, func(r *reference) []byte { return r.record(21, nil, 0) }, DecodeError, false},
		{"6.2: a fatal alert", false, func(r *reference) []byte { return r.record(21, []byte{2, 48}, 0) }, 48, true},
		{"6.2: a fatal alert that says it is a warning", false, func(r *reference) []byte { return r.record(21, []byte{1, 40}, 0) }, 40, true},
		{"5.1: an empty handshake record", false, func(r *reference) []byte { return r.record(22, nil, 0) }, UnexpectedMessage, false},
		{"4: a ClientHello behind the handshake", false, func(r *reference) []byte { return r.record(22, []byte{1, 0, 0, 1, 0}, 0) }, UnexpectedMessage, false},
		{"4.3.2: a certificate that nobody asked for", false, func(r *reference) []byte { return r.record(22, []byte{11, 0, 0, 1, 0}, 0) }, UnexpectedMessage, false},
		{"4.6.1: a ticket of a client", false, func(r *reference) []byte { return r.record(22, []byte{4, 0, 0, 1, 0}, 0) }, UnexpectedMessage, false},
		{"4.6.1: a ticket in pieces", true, func(r *reference) []byte { return r.record(22, []byte{4, 0, 0, 2, 0}, 0) }, UnexpectedMessage, false},
		{"4.6.2: a CertificateRequest", true, func(r *reference) []byte { return r.record(22, []byte{13, 0, 0, 1, 0}, 0) }, UnexpectedMessage, false},
		{"4.6.3: a KeyUpdate of another kind", false, func(r *reference) []byte { return r.record(22, []byte{24, 0, 0, 1, 2}, 0) }, DecodeError, false},
		{"4.6.3: a KeyUpdate that is too long", false, func(r *reference) []byte { return r.record(22, []byte{24, 0, 0, 2, 0, 0}, 0) }, DecodeError, false},
		{"4.6.3: a KeyUpdate without content", false, func(r *reference) []byte { return r.record(22, []byte{24, 0, 0, 0, 24}, 0) }, DecodeError, false},
		{"5.1: a message behind a KeyUpdate in its record", false, func(r *reference) []byte { return r.record(22, []byte{24, 0, 0, 1, 0, 24, 0, 0, 1, 0}, 0) }, UnexpectedMessage, false},
		{"5.1: data within a message", false, func(r *reference) []byte {
			return append(r.record(22, []byte{24, 0}, 0), r.record(23, []byte("x"), 0)...)
		}, UnexpectedMessage, false},
		{"5.1: an alert within a message", false, func(r *reference) []byte {
			return append(r.record(22, []byte{24, 0, 0, 1}, 0), r.record(21, []byte{1, 0}, 0)...)
		}, UnexpectedMessage, false},
		{"7.2: a record under the keys before the KeyUpdate", false, func(r *reference) []byte {
			old := *r
			b := r.keyUpdate(0)
			old.number++
			return append(b, old.record(23, []byte("x"), 0)...)
		}, BadRecordMAC, false},
		{"empty records without end", false, func(r *reference) (b []byte) {
			for range mostUseless + 1 {
				b = append(b, r.record(23, nil, 0)...)
			}
			return b
		}, UnexpectedMessage, false},
		{"KeyUpdates without end", false, func(r *reference) (b []byte) {
			for range mostUseless + 1 {
				b = append(b, r.keyUpdate(1)...)
			}
			return b
		}, UnexpectedMessage, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			forSuites(t, func(t *testing.T, suite uint16) {
				s := newSession(t, suite, c.client)
				o := openAll(s, NewKeys(4), c.stream(sender(suite)))
				var e *Error
				if !errors.As(o.err, &e) || e.Alert != c.want || e.Remote != c.remote || o.data != nil {
					t.Errorf("%q, %v; want %v, remote %v", o.data, o.err, c.want, c.remote)
				}
				if end := s.AppendEnd(NewKeys(4), nil); c.remote {
					if end != nil {
						t.Errorf("answered with % x", end)
					}
				} else if content, kind := receiver(suite).open(t, end); kind != typeAlert || !bytes.Equal(content, []byte{2, byte(c.want)}) {
					t.Errorf("answered with type %d, % x", kind, content)
				}
			})
		})
	}
}

// TestUselessRecords: those who have something to say now and then may say nothing
// between.
func TestUselessRecords(t *testing.T) {
	suite := allSuites[0]
	r, s := sender(suite), stream{session: newSession(t, suite, false), keys: NewKeys(4)}
	for range 100 {
		for range mostUseless {
			s.feed(r.record(23, nil, 0))
		}
		s.feed(r.record(23, []byte("x"), 0))
	}
	if s.err != nil || len(s.data) != 100 {
		t.Errorf("%d bytes, %v", len(s.data), s.err)
	}
}

// TestTickets: a client passes over them, wherever they stand.
func TestTickets(t *testing.T) {
	forSuites(t, func(t *testing.T, suite uint16) {
		r, s := sender(suite), stream{session: newSession(t, suite, true), keys: NewKeys(4)}
		ticket := append([]byte{4, 0, 1, 0}, make([]byte, 256)...)
		s.feed(r.record(22, ticket, 0))
		s.feed(r.record(22, append(bytes.Clone(ticket), ticket...), 0))
		s.feed(r.record(22, append(bytes.Clone(ticket), 24, 0, 0, 1, 1), 0))
		r.next()
		s.feed(r.record(23, []byte("hello"), 0))
		if s.err != nil || string(s.data) != "hello" || !s.owes {
			t.Errorf("%q, owes %v, %v", s.data, s.owes, s.err)
		}
	})
}
