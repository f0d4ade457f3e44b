package resume

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var sample = Token{Pair: ID{1, 2, 3, 15: 255}, Side: 1, Node: 1<<63 + 5, Seat: 1<<24 - 1, Holder: 1<<64 - 3, Issued: time.Unix(1_800_000_000, 0)}

func TestTokenComesBack(t *testing.T) {
	keys := NewKeys()
	text := keys.Append([]byte("x"), sample)
	if len(text) != 1+EncodedSize {
		t.Errorf("%d characters", len(text)-1)
	}
	got, err := keys.Open(string(text[1:]))
	if err != nil || got != sample {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestTokenOfAnotherMaking: a token with any bit changed, cut anywhere, longer, or
// of another key, opens nothing.
func TestTokenOfAnotherMaking(t *testing.T) {
	keys := NewKeys()
	text := string(keys.Append(nil, sample))
	raw, err := encoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			forged := bytes.Clone(raw)
			forged[i] ^= 1 << bit
			if _, err := keys.Open(encoding.EncodeToString(forged)); err == nil {
				t.Errorf("byte %d, bit %d: opened", i, bit)
			}
		}
	}
	for cut := range len(text) {
		if _, err := keys.Open(text[:cut]); !errors.Is(err, ErrMalformed) {
			t.Errorf("the first %d characters: %v", cut, err)
		}
	}
	for _, odd := range []string{text + "A", text + "\n", strings.Repeat("*", len(text)), text[:len(text)-2] + "\n\n"} {
		if _, err := keys.Open(odd); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", odd, err)
		}
	}
	if _, err := NewKeys().Open(text); !errors.Is(err, ErrForged) {
		t.Errorf("another key: %v", err)
	}
}

// TestTokenSpelledOneWay: no two texts are the same token, so one that was
// revoked by its text cannot come back with other padding bits.
func TestTokenSpelledOneWay(t *testing.T) {
	keys := NewKeys()
	text := keys.Append(nil, sample)
	last := len(text) - 1
	for c := range 128 {
		other := bytes.Clone(text)
		other[last] = byte(c)
		if _, err := keys.Open(string(other)); err == nil && !bytes.Equal(other, text) {
			t.Errorf("%q opens as well", other)
		}
	}
}

func TestKeysRotate(t *testing.T) {
	const older, newer = "1111111111111111111111111111111111111111111111111111111111111111", "2222222222222222222222222222222222222222222222222222222222222222"
	parse := func(text string) *Keys {
		k, err := ParseKeys([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	before, during, after := parse(older), parse(newer+"\n"+older+"\n"), parse(newer)
	text := string(before.Append(nil, sample))
	if _, err := during.Open(text); err != nil {
		t.Errorf("while both are known: %v", err)
	}
	if _, err := after.Open(text); !errors.Is(err, ErrForged) {
		t.Errorf("when the old one is gone: %v", err)
	}
	if _, err := after.Open(string(during.Append(nil, sample))); err != nil {
		t.Errorf("the first key did not sign: %v", err)
	}
}

func TestKeysRefused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "no key"},
		{"blank lines", "\n \n", "no key"},
		{"too short", "abcd", "line 1"},
		{"not hexadecimal", "\n" + strings.Repeat("zz", 32), "line 2"},
		{"too long", strings.Repeat("ab", 33), "line 1"},
		{"too many", strings.Repeat(strings.Repeat("ab", 32)+"\n", 5), "at most"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := ParseKeys([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}

// TestKeysMadeOnce: processes that come at once agree on the key, which nobody
// else can read.
func TestKeysMadeOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "resume.key")
	tokens := make([]string, 16)
	var all sync.WaitGroup
	for i := range tokens {
		all.Go(func() {
			k, err := LoadOrMakeKeys(name)
			if err != nil {
				t.Error(err)
				return
			}
			tokens[i] = string(k.Append(nil, sample))
		})
	}
	all.Wait()
	for _, token := range tokens {
		if token != tokens[0] {
			t.Error("two keys were made")
		}
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), ".*"))
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(name, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrMakeKeys(name); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("a broken file: %v", err)
	}
}

func FuzzToken(f *testing.F) {
	keys, err := ParseKeys([]byte(strings.Repeat("5a", 32)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(keys.Append(nil, sample)))
	f.Add(strings.Repeat("A", EncodedSize))
	f.Fuzz(func(t *testing.T, text string) {
		token, err := keys.Open(text)
		if err == nil && string(keys.Append(nil, token)) != text {
			t.Errorf("%q is not how %+v is written", text, token)
		}
	})
}

func BenchmarkToken(b *testing.B) {
	keys := NewKeys()
	text := keys.Append(nil, sample)
	b.ReportAllocs()
	for b.Loop() {
		text = keys.Append(text[:0], sample)
	}
}
