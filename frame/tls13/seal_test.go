package tls13

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// records cuts a stream of whole records.
func records(t testing.TB, b []byte) (list [][]byte) {
	t.Helper()
	for len(b) > 0 {
		n, err := Size(b)
		if err != nil || n == 0 || n > len(b) {
			t.Fatalf("no whole records: %d of %d bytes, %v", n, len(b), err)
		}
		list, b = append(list, b[:n]), b[n:]
	}
	return list
}

// TestSeal: what is sealed, in one piece or two, of any length, another
// implementation opens.
func TestSeal(t *testing.T) {
	forSuites(t, func(t *testing.T, suite uint16) {
		s, k, r := newSession(t, suite, false), NewKeys(4), receiver(suite)
		for _, sizes := range [][2]int{
			{0, 0}, {1, 0}, {0, 1}, {14, 100}, {MostData - 1, 0}, {MostData, 0}, {MostData + 1, 0}, {MostData, 1},
			{10, MostData}, {MostData - 1, 2}, {2 * MostData, 2 * MostData}, {3*MostData + 5, MostData}, {70000, 3},
		} {
			a, b := bytes.Repeat([]byte{'a'}, sizes[0]), bytes.Repeat([]byte{'b'}, sizes[1])
			before := []byte("before")
			out := s.Seal(k, append([]byte(nil), before...), a, b)
			if !bytes.HasPrefix(out, before) {
				t.Fatalf("%v: what stood before is gone", sizes)
			}
			out = out[len(before):]
			if len(out) > SealedSize(len(a)+len(b)) {
				t.Errorf("%v: %d bytes, SealedSize %d", sizes, len(out), SealedSize(len(a)+len(b)))
			}
			var got []byte
			for i, rec := range records(t, out) {
				if want := min(MostData, len(a)+len(b)-i*MostData) + Overhead; len(rec) != want {
					t.Errorf("%v: record %d has %d bytes, want %d", sizes, i, len(rec), want)
				}
				content, kind := r.open(t, rec)
				if kind != typeData {
					t.Errorf("%v: type %d", sizes, kind)
				}
				got = append(got, content...)
			}
			if !bytes.Equal(got, append(a, b...)) {
				t.Errorf("%v: other bytes", sizes)
			}
		}
	})
}

// TestSealWithoutRoom: where the slice ends makes no difference.
func TestSealWithoutRoom(t *testing.T) {
	for room := range 100 {
		s, k, r := newSession(t, allSuites[0], false), NewKeys(4), receiver(allSuites[0])
		out := s.Seal(k, make([]byte, 0, room), []byte("some words of more than one block"), nil)
		if content, _ := r.open(t, out); string(content) != "some words of more than one block" {
			t.Errorf("room for %d: %q", room, content)
		}
	}
}

// TestOwnKeyUpdate: long before a key is worn out it is changed.
func TestOwnKeyUpdate(t *testing.T) {
	forSuites(t, func(t *testing.T, suite uint16) {
		s, k, r := newSession(t, suite, false), NewKeys(4), receiver(suite)
		s.out.sequence, r.number = updateAfter-2, updateAfter-2
		out := s.Seal(k, nil, make([]byte, 5*MostData), nil)
		if len(out) > SealedSize(5*MostData) {
			t.Errorf("%d bytes, SealedSize %d", len(out), SealedSize(5*MostData))
		}
		data, updates := 0, 0
		for _, rec := range records(t, out) {
			switch content, kind := r.open(t, rec); {
			case kind == typeData:
				data += len(content)
			case kind == typeHandshake && bytes.Equal(content, []byte{24, 0, 0, 1, 0}):
				updates++
				r.next()
			default:
				t.Errorf("type %d: % x", kind, content)
			}
		}
		if data != 5*MostData || updates != 1 || s.out.sequence != 3 {
			t.Errorf("%d bytes, %d updates, sequence number %d", data, updates, s.out.sequence)
		}
	})
}

// TestKeyUpdates goes through both ways of asking and of answering, many times.
func TestKeyUpdates(t *testing.T) {
	forSuites(t, func(t *testing.T, suite uint16) {
		a := newSession(t, suite, false)
		b, err := New(Secrets{Suite: suite, Client: true, Receive: secretOf(suite, 2), Send: secretOf(suite, 1)})
		if err != nil {
			t.Fatal(err)
		}
		k := NewKeys(64)
		rnd := rand.New(rand.NewPCG(1, 2))
		asked, answered := 0, 0
		for i := range 500 {
			from, to := a, b
			if rnd.IntN(2) == 0 {
				from, to = b, a
			}
			var out []byte
			u := Update(rnd.IntN(3))
			if u == Ask {
				asked++
			}
			if u != NoUpdate {
				out = from.AppendKeyUpdate(k, out, u)
			}
			out = from.Seal(k, out, []byte{byte(i)}, nil)
			o := to.Open(k, out)
			if o.Err != nil || len(o.Data) != 1 || o.Data[0] != byte(i) || (o.Update == Answer) != (u == Ask) {
				t.Fatalf("%d: %+v after %d", i, o, u)
			}
			if o.Update == Answer {
				answered++
				if o := from.Open(k, to.AppendKeyUpdate(k, nil, Answer)); o.Err != nil || o.Update != NoUpdate {
					t.Fatalf("%d: answer: %+v", i, o)
				}
			}
		}
		if asked == 0 || asked != answered {
			t.Errorf("asked %d times, answered %d", asked, answered)
		}
	})
}

// TestWornOut: a peer that has sent very much is asked for a new key, and if it
// gives none the connection ends before the key is worn out.
func TestWornOut(t *testing.T) {
	suite := allSuites[0]
	s, k, r := newSession(t, suite, false), NewKeys(4), sender(suite)
	s.in.sequence, r.number = askForUpdate-2, askForUpdate-2
	for i, want := range []Update{NoUpdate, Ask, NoUpdate} {
		if o := s.Open(k, r.record(23, []byte("x"), 0)); o.Err != nil || o.Update != want {
			t.Errorf("record %d: %+v", i, o)
		}
	}
	s.in.sequence, r.number = mostRecords-1, mostRecords-1
	if o := s.Open(k, r.record(23, []byte("x"), 0)); o.Err != nil {
		t.Errorf("the last record: %v", o.Err)
	}
	if o := s.Open(k, r.record(23, []byte("x"), 0)); o.Err != error(errLimit) || o.Data != nil {
		t.Errorf("one more: %+v", o)
	}
	s, r = newSession(t, suite, false), sender(suite)
	s.in.sequence, r.number = mostRecords-1, mostRecords-1
	if o := s.Open(k, append(r.keyUpdate(0), r.record(23, []byte("x"), 0)...)); o.Err != nil || string(o.Data) != "x" {
		t.Errorf("a KeyUpdate at the last moment: %+v", o)
	}
}
