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

// TestAppendData: data of any length, another implementation opens.
func TestAppendData(t *testing.T) {
	forSuites(t, func(t *testing.T, suite uint16) {
		s, k, r := newSession(t, suite, false), NewKeys(4), receiver(suite)
		for _, size := range []int{0, 1, 100, MostData - 1, MostData, MostData + 1, 2 * MostData, 3*MostData + 5} {
			data := bytes.Repeat([]byte{'a'}, size)
			out, found := bytes.CutPrefix(s.AppendData(k, []byte("before"), data), []byte("before"))
			if !found || len(out) > AppendedSize(size) {
				t.Errorf("%d: %d bytes, AppendedSize %d", size, len(out), AppendedSize(size))
			}
			var got []byte
			for i, rec := range records(t, out) {
				if want := min(MostData, size-i*MostData) + Overhead; len(rec) != want {
					t.Errorf("%d: record %d has %d bytes, want %d", size, i, len(rec), want)
				}
				content, kind := r.open(t, rec)
				if kind != typeData {
					t.Errorf("%d: type %d", size, kind)
				}
				got = append(got, content...)
			}
			if !bytes.Equal(got, data) {
				t.Errorf("%d: other bytes", size)
			}
		}
	})
}

// TestSeal: in place, it touches the record and nothing else.
func TestSeal(t *testing.T) {
	forSuites(t, func(t *testing.T, suite uint16) {
		s, k, r := newSession(t, suite, false), NewKeys(4), receiver(suite)
		for _, size := range []int{1, 15, 16, 17, 100, MostData} {
			around := bytes.Repeat([]byte{0xee}, 10+size+Overhead+10)
			record := around[10 : len(around)-10]
			data := record[HeaderSize : HeaderSize+size]
			for i := range data {
				data[i] = byte(i)
			}
			want := bytes.Clone(data)
			if s.Seal(k, record) {
				t.Error("owes something")
			}
			if content, kind := r.open(t, record); kind != typeData || !bytes.Equal(content, want) {
				t.Errorf("%d: type %d, %d bytes", size, kind, len(content))
			}
			if edge := bytes.Repeat([]byte{0xee}, 10); !bytes.HasPrefix(around, edge) || !bytes.HasSuffix(around, edge) {
				t.Errorf("%d: more than the record was written", size)
			}
		}
	})
}

// TestOwnKeyUpdate: long before a key is worn out it is changed.
func TestOwnKeyUpdate(t *testing.T) {
	forSuites(t, func(t *testing.T, suite uint16) {
		s, k, r := newSession(t, suite, false), NewKeys(4), receiver(suite)
		s.out.sequence, r.number = updateAfter-2, updateAfter-2
		out := s.AppendData(k, nil, make([]byte, 5*MostData))
		if len(out) > AppendedSize(5*MostData) {
			t.Errorf("%d bytes, AppendedSize %d", len(out), AppendedSize(5*MostData))
		}
		s.out.sequence = updateAfter - 1 // and the same for a record in place
		r2 := *r
		record := make([]byte, 1+Overhead)
		if !s.Seal(k, record) {
			t.Error("a record in place: nothing owed")
		}
		inPlace := s.AppendOwed(k, bytes.Clone(record))
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
		if data != 5*MostData || updates != 1 || r.number != 3 {
			t.Errorf("%d bytes, %d updates, sequence number %d", data, updates, r.number)
		}
		r2.next()
		r2.number = updateAfter - 1
		list := records(t, inPlace)
		r2.open(t, list[0])
		if content, kind := r2.open(t, list[1]); kind != typeHandshake || !bytes.Equal(content, []byte{24, 0, 0, 1, 0}) {
			t.Errorf("type %d: % x", kind, content)
		}
		if s.out.sequence != 0 {
			t.Errorf("sequence number %d", s.out.sequence)
		}
	})
}

// TestKeyUpdates goes through asking and answering, both ways, many times.
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
			u := update(rnd.IntN(3))
			if u == ask {
				asked++
			}
			if u != nothing {
				out = from.appendKeyUpdate(k, out, u)
			}
			out = from.AppendData(k, out, []byte{byte(i)})
			o := openAll(to, k, out)
			if o.err != nil || len(o.data) != 1 || o.data[0] != byte(i) || o.owes != (u == ask) {
				t.Fatalf("%d: %+v after %d", i, o, u)
			}
			if !o.owes {
				continue
			}
			answered++
			if o := openAll(from, k, to.AppendOwed(k, nil)); o.err != nil || o.owes {
				t.Fatalf("%d: answer: %+v", i, o)
			}
			if again := to.AppendOwed(k, nil); again != nil {
				t.Fatalf("%d: answered twice", i)
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
	for i, want := range []bool{false, true} {
		if _, _, owes, err := s.Open(k, r.record(23, []byte("x"), 0)); err != nil || owes != want {
			t.Errorf("record %d: owes %v, %v", i, owes, err)
		}
	}
	if content, kind := receiver(suite).open(t, s.AppendOwed(k, nil)); kind != typeHandshake || !bytes.Equal(content, []byte{24, 0, 0, 1, 1}) {
		t.Errorf("asked with type %d: % x", kind, content)
	}
	if _, _, owes, err := s.Open(k, r.record(23, []byte("x"), 0)); err != nil || owes {
		t.Errorf("asked again: %v, %v", owes, err)
	}
	s.in.sequence, r.number = mostRecords-1, mostRecords-1
	if o := openAll(s, k, r.record(23, []byte("x"), 0)); o.err != nil {
		t.Errorf("the last record: %v", o.err)
	}
	if o := openAll(s, k, r.record(23, []byte("x"), 0)); o.err != error(errLimit) || o.data != nil {
		t.Errorf("one more: %+v", o)
	}
	s, r = newSession(t, suite, false), sender(suite)
	s.in.sequence, r.number = mostRecords-1, mostRecords-1
	if o := openAll(s, k, append(r.keyUpdate(0), r.record(23, []byte("x"), 0)...)); o.err != nil || string(o.data) != "x" {
		t.Errorf("a KeyUpdate at the last moment: %+v", o)
	}
}
