package limit

import (
	"net/netip"
	"testing"
)

func TestNetworks(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "0.0.0.0": "0.0.0.0/32", "255.255.255.255": "255.255.255.255/32",
		"::ffff:192.0.2.1": "192.0.2.1/32", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%lo": "fe80::/64",
	} {
		if got, ok := NetworkOf(netip.MustParseAddr(text)).Prefix(); !ok || got.String() != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
	for _, n := range []Network{0, severalNetworks, NetworkOf(netip.Addr{})} {
		if p, ok := n.Prefix(); ok {
			t.Errorf("%d is %v", n, p)
		}
	}
}

// TestWhoIsThere: a key tells where its connections are from, as long as all are from
// one network.
func TestWhoIsThere(t *testing.T) {
	a := NewAddresses(NewSeed(), 10, 1)
	one, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8:0:1::1")
	key, _ := a.Key(one)
	seen := func() (all []netip.Prefix) {
		a.Each(func(k uint32, network netip.Prefix) {
			if k == key {
				all = append(all, network)
			}
		})
		return all
	}
	a.Enter(key, NetworkOf(one))
	a.Readmit(key, NetworkOf(netip.MustParseAddr("2001:db8::2")))
	if all := seen(); len(all) != 1 || all[0].String() != "2001:db8::/64" || a.Network(key) != NetworkOf(one) {
		t.Errorf("%v", all)
	}
	a.Enter(key, NetworkOf(other)) // as if the two had one key
	if all := seen(); len(all) != 0 {
		t.Errorf("%v, and it may be another", all)
	}
	for range 3 {
		a.Release(key, 0)
	}
	a.Enter(key, NetworkOf(other))
	if all := seen(); len(all) != 1 || all[0].String() != "2001:db8:0:1::/64" {
		t.Errorf("%v", all)
	}
}
