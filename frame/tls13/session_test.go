package tls13

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unsafe"
)

// TestSize: what a connection costs.
func TestSize(t *testing.T) {
	if n := unsafe.Sizeof(Session{}); n != 88 {
		t.Errorf("a Session has %d bytes", n)
	}
	if n := unsafe.Sizeof([2]tail{}); n != 32 {
		t.Errorf("the longer suites add %d bytes", n)
	}
}

func TestNewRefuses(t *testing.T) {
	good := Secrets{Suite: allSuites[0], Receive: secretOf(allSuites[0], 1), Send: secretOf(allSuites[0], 2)}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Secrets){
		"no suite":           func(s *Secrets) { s.Suite = 0x1304 },
		"a suite of TLS 1.2": func(s *Secrets) { s.Suite = 0xc02f },
		"a short secret":     func(s *Secrets) { s.Receive = s.Receive[1:] },
		"no secret":          func(s *Secrets) { s.Send = nil },
		"a long secret":      func(s *Secrets) { s.Send = append(bytes.Clone(s.Send), 1) },
		"a worn out key":     func(s *Secrets) { s.SendNext = mostRecords },
	} {
		s := good
		spoil(&s)
		if _, err := New(s); !errors.Is(err, ErrSecrets) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoSecretPrinted: T4, in whatever way a Session gets into a text.
func TestNoSecretPrinted(t *testing.T) {
	forSuites(t, func(t *testing.T, suite uint16) {
		s := newSession(t, suite, false)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "session", s)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "session", s)
		text, err := json.Marshal(map[string]any{"session": s})
		if err != nil {
			t.Fatal(err)
		}
		printed := log.String() + string(text)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			printed += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, []*Session{s}) + fmt.Sprintf(verb, struct{ S fmt.Formatter }{s})
		}
		for _, secret := range [][]byte{s.in.secret[:], s.out.secret[:]} {
			for _, as := range []string{"%x", "%X", "%d", "%v"} {
				piece := strings.Trim(fmt.Sprintf(as, secret[:4]), "[]")
				if strings.Contains(printed, piece) {
					t.Errorf("%s is in %s", piece, printed)
				}
			}
		}
		if !strings.Contains(printed, "tls13.Session") {
			t.Errorf("not printed at all: %s", printed)
		}
	})
}

func TestWipe(t *testing.T) {
	forSuites(t, func(t *testing.T, suite uint16) {
		s := newSession(t, suite, false)
		tails := s.tails
		s.Wipe()
		if *s != (Session{}) || tails != nil && *tails != [2]tail{} {
			t.Error("something is left")
		}
	})
}

// TestCarry: a session that is written down after every record goes on as if
// nothing had been.
func TestCarry(t *testing.T) {
	forSuites(t, func(t *testing.T, suite uint16) {
		whole, data := story(sender(suite))
		s := stream{session: newSession(t, suite, true), keys: NewKeys(4)}
		r := receiver(suite)
		for _, rec := range records(t, whole) {
			s.feed(rec)
			carried := append(s.session.Append([]byte("x")), "behind"...)
			s.session.Wipe()
			var rest []byte
			var err error
			s.session, rest, err = Parse(carried[1:])
			if err != nil || string(rest) != "behind" {
				t.Fatalf("%q, %v", rest, err)
			}
			out := s.session.AppendData(s.keys, nil, []byte("said"))
			if content, _ := r.open(t, out); string(content) != "said" {
				t.Fatalf("said %q", content)
			}
		}
		if !bytes.Equal(s.data, data) || !s.owes || s.session.owed != answer {
			t.Errorf("%d of %d bytes, owes %v", len(s.data), len(data), s.session.owed)
		}
	})
}

// TestParseRefuses every prefix, and what cannot be.
func TestParseRefuses(t *testing.T) {
	forSuites(t, func(t *testing.T, suite uint16) {
		whole := newSession(t, suite, true).Append(nil)
		for i := range whole {
			if _, _, err := Parse(whole[:i:i]); !errors.Is(err, ErrCarried) {
				t.Errorf("%d bytes: %v", i, err)
			}
		}
		for i, b := range map[int]byte{0: 2, 1: 3, 2: 3, 3: mostUseless + 1, 4: 5, 9: 0xff} {
			spoilt := bytes.Clone(whole)
			spoilt[i] = b
			if _, _, err := Parse(spoilt); !errors.Is(err, ErrCarried) {
				t.Errorf("byte %d is %d: %v", i, b, err)
			}
		}
	})
}
