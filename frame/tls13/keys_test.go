package tls13

import (
	"testing"
)

// crowd are sessions of different secrets.
func crowd(t testing.TB, n int) []*Session {
	list := make([]*Session, n)
	for i := range list {
		suite := allSuites[i%len(allSuites)]
		secret := secretOf(suite, 0)
		secret[0], secret[1] = byte(i), byte(i>>8)
		var err error
		if list[i], err = New(Secrets{Suite: suite, Receive: secret, Send: secret}); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// TestKeysBound: however many sessions there are, the expanded keys are so many.
func TestKeysBound(t *testing.T) {
	k := NewKeys(60)
	for _, s := range crowd(t, 1000) {
		for range 2 { // to stay
			out := s.AppendData(k, nil, []byte("x"))
			if o := openAll(s, k, out); o.err != nil || string(o.data) != "x" {
				t.Fatalf("%+v", o)
			}
		}
		if k.Len() > 64 {
			t.Fatalf("%d expanded keys", k.Len())
		}
	}
	if k.Len() < 48 {
		t.Errorf("%d expanded keys only", k.Len())
	}
	if k.Made != 4000 || k.Found != 0 {
		t.Errorf("made %d, found %d", k.Made, k.Found)
	}
}

// TestKeysKeepTheHot: who is used all the time stays, whoever else comes by.
func TestKeysKeepTheHot(t *testing.T) {
	k, all := NewKeys(64), crowd(t, 500)
	for range 2 {
		all[0].AppendData(k, nil, []byte("x"))
	}
	made := uint64(0)
	for _, s := range all[1:] {
		for range 2 {
			s.AppendData(k, nil, []byte("x"))
		}
		before := k.Made
		all[0].AppendData(k, nil, []byte("x"))
		made += k.Made - before
	}
	if made != 0 {
		t.Errorf("made again %d times", made)
	}
}

// TestKeysCool: what nobody uses goes.
func TestKeysCool(t *testing.T) {
	k, all := NewKeys(256), crowd(t, 100)
	speak := func(list []*Session, times int) {
		for _, s := range list {
			for range times {
				s.AppendData(k, nil, []byte("x"))
			}
		}
	}
	speak(all, 1)
	if n := k.Len(); n > 1 { // a collision
		t.Errorf("%d of those stay who spoke once", n)
	}
	speak(all, 2)
	most := k.Len()
	k.Cool()
	if k.Len() != most || most < 90 {
		t.Errorf("%d of %d after a moment", k.Len(), most)
	}
	speak(all[:10], 2)
	k.Cool()
	if n := k.Len(); n != 10 {
		t.Errorf("%d are left of 10", n)
	}
	for range 300 { // the round is a byte
		speak(all[:1], 1)
		k.Cool()
	}
	if n := k.Len(); n != 1 {
		t.Errorf("%d are left of 1", n)
	}
	k.Cool()
	if n := k.Len(); n != 0 {
		t.Errorf("%d are left of none", n)
	}
	speak(all, 2)
	k.Forget()
	if n := k.Len(); n != 0 || k.cold.aead != nil {
		t.Errorf("%d are left of those forgotten", n)
	}
}
