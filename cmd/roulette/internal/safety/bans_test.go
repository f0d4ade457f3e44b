package safety

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func network(t testing.TB, text string) netip.Prefix {
	t.Helper()
	p, err := ParseNetwork(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParseNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1":              "192.0.2.1/32",
		" 192.0.2.77/24\n":       "192.0.2.0/24",
		"10.0.0.0/8":             "10.0.0.0/8",
		"2001:db8::1":            "2001:db8::/64",
		"2001:db8:1:2:3:4:5:6":   "2001:db8:1:2::/64",
		"2001:db8:1:2:3::/80":    "2001:db8:1:2::/64",
		"2001:db8::/32":          "2001:db8::/32",
		"::ffff:192.0.2.1":       "192.0.2.1/32",
		"::ffff:192.0.2.0/120":   "192.0.2.0/24",
		"":                       "",
		"10.0.0.0/7":             "",
		"0.0.0.0/0":              "",
		"::/0":                   "",
		"2000::/15":              "",
		"fe80::1%eth0":           "",
		"example.org":            "",
		"192.0.2.1/33":           "",
		"192.0.2":                "",
		strings.Repeat("1", 999): "",
	} {
		got, err := ParseNetwork(text)
		if want == "" {
			if err == nil || len(err.Error()) > 200 {
				t.Errorf("%.40q: %v, %v", text, got, err)
			}
		} else if err != nil || got.String() != want {
			t.Errorf("%q: %v, %v, want %s", text, got, err, want)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	one := []netip.Prefix{network(t, "192.0.2.0/24")}
	for _, tc := range []struct {
		who    []netip.Prefix
		until  time.Time
		reason string
		want   error
	}{
		{nil, start.Add(time.Hour), "", ErrNoNetwork},
		{one, start, "", ErrNotTimeLeft},
		{one, time.Time{}, "", ErrNotTimeLeft},
		{one, start.Add(MaxTime + 1), "", ErrNotTimeLeft},
		{one, start.Add(time.Hour), strings.Repeat("x", MaxReason+1), ErrReason},
		{one, start.Add(time.Hour), "two\nlines", ErrReason},
		{one, start.Add(time.Hour), "\xff", ErrReason},
		{make([]netip.Prefix, MaxNetworks+1), start.Add(time.Hour), "", ErrTooMany},
	} {
		var b Bans
		if err := b.Ban(tc.who, tc.until, tc.reason, "me", start); !errors.Is(err, tc.want) || b.InForce() > 0 {
			t.Errorf("%d networks until %v because of %.20q: %v, want %v", len(tc.who), tc.until, tc.reason, err, tc.want)
		}
	}
}

// model is the same without any thought of cost.
type model struct {
	bans map[netip.Prefix]Ban
}

func (m *model) find(addr netip.Addr, now time.Time) (longest Ban, banned bool) {
	for network, b := range m.bans {
		if network.Contains(addr) && now.Before(b.Until) && (!banned || b.Until.After(longest.Until)) {
			longest, banned = b, true
		}
	}
	return longest, banned
}

// TestAgainstModel: whatever is decided, in whatever order, with a clock that jumps,
// also by a process that begins anew.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		addr := func() netip.Addr {
			if random.IntN(3) == 0 {
				return netip.MustParseAddr(fmt.Sprintf("2001:db8:%x:%x::%x", random.IntN(2), random.IntN(3), random.IntN(9)))
			}
			return netip.AddrFrom4([4]byte{10, byte(random.IntN(2)), byte(random.IntN(3)), byte(random.IntN(4))})
		}
		path := t.TempDir() + "/decisions.log"
		b, _, err := Open(path, start)
		if err != nil {
			t.Fatal(err)
		}
		m := model{make(map[netip.Prefix]Ban)}
		now, latest := start, start
		for range 300 {
			now = now.Add(time.Duration(random.IntN(600)-60) * time.Second)
			if now.After(latest) {
				latest = now
			}
			var who []netip.Prefix
			for range 1 + random.IntN(3) {
				a := addr()
				bits := 8 + random.IntN(25)
				if a.Is6() {
					bits *= 2
				}
				p, err := ParseNetwork(fmt.Sprintf("%v/%d", a, bits))
				if err != nil {
					t.Fatal(err)
				}
				who = append(who, p)
			}
			switch random.IntN(6) {
			case 0, 1:
				until := now.Add(time.Duration(1+random.IntN(3600)) * time.Second)
				if err := b.Ban(who, until, "why", "me", now); err != nil {
					t.Fatal(err)
				}
				for _, p := range who {
					m.bans[p] = Ban{p, until, "why", "me", now}
				}
			case 2:
				for p := range m.bans {
					who = append(who, p)
					break
				}
				if _, err := b.Lift(who, "me", now); err != nil {
					t.Fatal(err)
				}
				lifted := false
				for _, p := range who {
					ban, ok := m.bans[p]
					lifted = lifted || ok && now.Before(ban.Until)
				}
				for _, p := range who {
					if lifted {
						delete(m.bans, p)
					}
				}
			case 3:
				b.Forget(now)
			case 4:
				if now.Before(latest) { // what has ended and was forgotten goes on for a new process
					break
				}
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
				var broken int
				if b, broken, err = Open(path, now); err != nil || broken > 0 {
					t.Fatal(broken, err)
				}
			}
			// A clock that goes back finds what was forgotten gone: it had ended.
			for p, ban := range m.bans {
				if !now.Before(ban.Until) {
					delete(m.bans, p)
				}
			}
			for b.Forget(now) {
			}
			for range 10 {
				a := addr()
				got, banned := b.Find(a, now)
				want, wanted := m.find(a, now)
				if banned != wanted || !got.Until.Equal(want.Until) || banned && !got.Network.Contains(a) {
					t.Fatalf("seed %d: %v is banned by %+v (%t), want %+v (%t)", seed, a, got, banned, want, wanted)
				}
			}
			if all := b.All(now); len(all) != len(m.bans) || b.InForce() != len(m.bans) {
				t.Fatalf("seed %d: %d bans, %d in force, want %d", seed, len(all), b.InForce(), len(m.bans))
			}
		}
		b.Close()
	}
}

// TestAddresses: addresses as sockets and proxies have them.
func TestAddresses(t *testing.T) {
	var b Bans
	if _, banned := b.Find(netip.MustParseAddr("192.0.2.1"), start); banned {
		t.Error("nobody is banned")
	}
	who := []netip.Prefix{network(t, "192.0.2.0/24"), network(t, "fe80::/64")}
	if err := b.Ban(who, start.Add(time.Hour), "", "me", start); err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"192.0.2.9": true, "::ffff:192.0.2.9": true, "fe80::1%lo": true, "192.0.3.1": false, "::ffff:192.0.3.1": false, "fe80:0:0:1::": false,
	} {
		if _, banned := b.Find(netip.MustParseAddr(addr), start); banned != want {
			t.Errorf("%s: %t", addr, banned)
		}
	}
	if _, banned := b.Find(netip.Addr{}, start); banned {
		t.Error("who is at a Unix socket is banned")
	}
}

// TestAMillion networks are banned in bounded memory and time, found, read again, and
// forgotten a bit at a time.
func TestAMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 20 MB")
	}
	who := make([]netip.Prefix, MaxNetworks)
	for i := range who {
		n := uint32(i) * 2654435761 >> 1 // spread over all of them, and each another one
		who[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(n>>24) + 1, byte(n >> 16), byte(n >> 8), byte(n)}), 32)
		if i%4 == 0 {
			a := [16]byte{0x20, 1, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
			who[i] = netip.PrefixFrom(netip.AddrFrom16(a), 64)
		}
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	path := t.TempDir() + "/decisions.log"
	b, _, err := Open(path, start)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := b.Ban(who, start.Add(time.Hour), "a list", "me", start); err != nil {
		t.Fatal(err)
	}
	t.Logf("banned in %v", time.Since(began))
	if err := b.Ban(who[:1], start.Add(2*time.Hour), "one more", "me", start); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more: %v", err)
	}
	b.Close()
	before := heap()
	began = time.Now()
	if b, _, err = Open(path, start); err != nil {
		t.Fatal(err)
	}
	t.Logf("read in %v", time.Since(began))
	if each := (heap() - before) / MaxNetworks; each > 150 {
		t.Errorf("%d bytes each", each)
	} else {
		t.Logf("%d bytes each", each)
	}
	for i := 0; i < len(who); i += 999 {
		if _, banned := b.Find(who[i].Addr(), start); !banned {
			t.Fatalf("%v is not banned", who[i])
		}
	}
	steps := 0
	for ; b.Forget(start.Add(time.Hour)); steps++ {
	}
	if b.InForce() != 0 || steps != MaxNetworks/perDecision {
		t.Errorf("%d in force after %d steps", b.InForce(), steps)
	}
	b.Close()
}

func BenchmarkFind(b *testing.B) {
	var bans Bans
	addr := netip.MustParseAddr("192.0.2.1")
	b.Run("nobody is banned", func(b *testing.B) {
		for b.Loop() {
			bans.Find(addr, start)
		}
	})
	var who []netip.Prefix
	for i := range 100_000 {
		who = append(who, netip.PrefixFrom(netip.AddrFrom4([4]byte{100, byte(i >> 16), byte(i >> 8), byte(i)}), 32))
	}
	if err := bans.Ban(slices.Clip(who), start.Add(time.Hour), "", "me", start); err != nil {
		b.Fatal(err)
	}
	b.Run("others are", func(b *testing.B) {
		for b.Loop() {
			bans.Find(addr, start)
		}
	})
}
