package limit

import (
	"net/netip"
	"testing"
)

func TestAddressKeys(t *testing.T) {
	a := NewAddresses(NewSeed(), 1, 1)
	key := func(s string) uint32 {
		k, ok := a.Key(netip.MustParseAddr(s))
		if !ok {
			t.Errorf("%s is not counted", s)
		}
		return k
	}
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
	} {
		if got := key(tc.a) == key(tc.b); got != tc.same {
			t.Errorf("%s and %s: one limit is %v, want %v", tc.a, tc.b, got, tc.same)
		}
	}
	for _, s := range []string{"127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"} {
		if _, ok := a.Key(netip.MustParseAddr(s)); ok {
			t.Errorf("%s is counted", s)
		}
	}
	if _, ok := a.Key(netip.Addr{}); ok {
		t.Error("no address is counted")
	}
}

func TestAddressTable(t *testing.T) {
	a := NewAddresses(NewSeed(), 2, 1)
	for key := range uint32(1000) {
		for n := range 3 {
			if got, want := a.Enter(key, 7), n < 2; got != want {
				t.Fatalf("key %d: number %d enters is %v, want %v", key, n, got, want)
			}
		}
		a.Release(key, 0)
		if !a.Enter(key, 7) {
			t.Fatalf("key %d: the place is free again", key)
		}
		for range 4 {
			if !a.Handshake(key, 0) {
				t.Fatalf("key %d: a burst of four", key)
			}
		}
		if a.Handshake(key, 0) || a.Handshake(key, 999) || !a.Handshake(key, 1000) {
			t.Fatalf("key %d: then one a second", key)
		}
		a.Release(key, 1000)
		a.Release(key, 1000)
	}
	if n := a.Known(); n != 1000 {
		t.Errorf("%d are remembered for their handshakes, want 1000", n)
	}
	// Coming back does not help.
	if !a.Enter(7, 7) || a.Handshake(7, 1000) {
		t.Error("the handshake rate is forgotten")
	}
	a.Release(7, 1000)
	for shard := range len(a.shards) {
		a.Sweep(shard, 4999)
	}
	if n := a.Known(); n != 1000 {
		t.Errorf("%d are remembered, want 1000 yet", n)
	}
	for shard := range len(a.shards) {
		a.Sweep(shard, 5000)
	}
	if n := a.Known(); n != 0 {
		t.Errorf("%d are remembered for nothing", n)
	}
}

// TestSeed: processes that share a seed agree on keys, others do not.
func TestSeed(t *testing.T) {
	addr := netip.MustParseAddr("2001:db8::1")
	seed := NewSeed()
	one, _ := NewAddresses(seed, 1, 1).Key(addr)
	two, _ := NewAddresses(seed, 1, 1).Key(addr)
	if one != two {
		t.Errorf("%x and %x with one seed", one, two)
	}
	same := 0
	for range 4 {
		if other, _ := NewAddresses(NewSeed(), 1, 1).Key(addr); other == one {
			same++
		}
	}
	if same == 4 {
		t.Error("the seed does not matter")
	}
}

// TestKeyCost: a key is made for each connection, and costs it no allocation.
func TestKeyCost(t *testing.T) {
	a := NewAddresses(NewSeed(), 1, 1)
	addr := netip.MustParseAddr("2001:db8::1")
	if n := testing.AllocsPerRun(100, func() { a.Key(addr) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
