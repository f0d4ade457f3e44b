package safety

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCookie(t *testing.T) {
	secret, other := NewSecret(), NewSecret()
	for range 100 {
		p := NewPerson()
		if !p.Known() || p.Shared() {
			t.Fatalf("%v", p)
		}
		value := secret.AppendCookie([]byte("="), p, start)[1:]
		if len(value) != CookieSize {
			t.Fatalf("%d bytes", len(value))
		}
		for _, tc := range []struct {
			after time.Duration
			renew bool
			good  bool
		}{
			{0, false, true}, {time.Hour, false, true}, {24 * time.Hour, true, true}, {-24 * time.Hour, true, true},
			{CookieLasts, true, true}, {CookieLasts + 24*time.Hour, false, false},
		} {
			got, renew, err := secret.Cookie(value, start.Add(tc.after))
			if (err == nil) != tc.good || tc.good && (got != p || renew != tc.renew) {
				t.Errorf("after %v: %v, %t, %v", tc.after, got, renew, err)
			}
		}
		if _, _, err := other.Cookie(value, start); err == nil {
			t.Error("another secret takes it")
		}
		for i := range value {
			for _, change := range []byte{1, 2, 4, 8, 16, 32} {
				forged := bytes.Clone(value)
				forged[i] ^= change
				if _, _, err := secret.Cookie(forged, start); err == nil {
					t.Fatalf("byte %d ^ %d is taken", i, change)
				}
			}
			if _, _, err := secret.Cookie(value[:i], start); err == nil {
				t.Fatalf("cut at %d it is taken", i)
			}
		}
		if _, _, err := secret.Cookie(append(bytes.Clone(value), '\n'), start); err == nil {
			t.Error("with a line end it is taken")
		}
	}
	network := secret.OfNetwork(netip.MustParsePrefix("192.0.2.1/32"))
	if _, _, err := secret.Cookie(secret.AppendCookie(nil, network, start), start); err == nil {
		t.Error("a network has a cookie")
	}
}

func TestOfNetwork(t *testing.T) {
	secret, other := NewSecret(), NewSecret()
	seen := map[Person]string{{}: "nobody"}
	for _, text := range []string{"192.0.2.1/32", "192.0.2.2/32", "192.0.2.0/24", "2001:db8::/64", "2001:db8:0:1::/64"} {
		for _, s := range []*Secret{secret, other} {
			p := s.OfNetwork(netip.MustParsePrefix(text))
			if before, is := seen[p]; is || !p.Shared() {
				t.Errorf("%s is %v, and so is %s", text, p, before)
			}
			seen[p] = text
		}
	}
	if a, b := secret.OfNetwork(netip.MustParsePrefix("192.0.2.7/24")), secret.OfNetwork(netip.MustParsePrefix("192.0.2.9/24")); a != b {
		t.Error("two addresses of a network are two people")
	}
	if p := secret.OfNetwork(netip.Prefix{}); p.Known() {
		t.Errorf("no network is %v", p)
	}
}

func TestPersonAsText(t *testing.T) {
	p := NewPerson()
	text, err := json.Marshal(map[string]Person{"p": p})
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]Person
	if err := json.Unmarshal(text, &back); err != nil || back["p"] != p {
		t.Errorf("%s: %v, %v", text, back, err)
	}
	for _, bad := range []string{"", "00", strings.Repeat("g", 32), strings.Repeat("0", 34)} {
		if err := p.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is a person", bad)
		}
	}
}

func TestSecretFile(t *testing.T) {
	name := t.TempDir() + "/person.key"
	if _, err := LoadSecret(name); err == nil {
		t.Fatal("there is none")
	}
	var all [8]*Secret
	var wait sync.WaitGroup
	for i := range all {
		wait.Go(func() {
			s, err := LoadOrMakeSecret(name)
			if err != nil {
				t.Error(err)
			}
			all[i] = s
		})
	}
	wait.Wait()
	for _, s := range all {
		if *s != *all[0] {
			t.Fatal("two processes that came at once know different people")
		}
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if all[0].For("a") == all[0].For("b") {
		t.Error("two purposes have one key")
	}
	for _, bad := range []string{"", "zz", strings.Repeat("0", 62), strings.Repeat("z", 64), strings.Repeat("0", 66)} {
		if err := os.WriteFile(name, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := LoadOrMakeSecret(name); err == nil {
			t.Errorf("%q is a secret: %x", bad, s[:2])
		}
	}
}
