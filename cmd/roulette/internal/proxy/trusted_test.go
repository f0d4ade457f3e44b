package proxy

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseNetwork(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"192.0.2.7", "192.0.2.7/32"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"2001:db8::/32", "2001:db8::/32"},
		{"::1", "::1/128"},
		{"::ffff:192.0.2.7", "192.0.2.7/32"},
		{"::ffff:10.0.0.0/104", "10.0.0.0/8"},
	} {
		if got, err := ParseNetwork(tc.in); err != nil || got.String() != tc.want {
			t.Errorf("%s: got %v, %v, want %s", tc.in, got, err, tc.want)
		}
	}
	for _, tc := range []struct{ in, says string }{
		{"", "such as"},
		{"example.org", "such as"},
		{"10.0.0.0/33", "such as"},
		{"10.0.0.0/", "such as"},
		{"10.0.0.1/8", "10.0.0.0/8"},
		{"2001:db8::1/32", "2001:db8::/32"},
		{"10.0.0.1:80", "such as"},
		{"fe80::1%eth0", "zone"},
		{"fe80::%eth0/10", "such as"},
		{"::ffff:0.0.0.0/80", "IPv4-mapped"},
		{" 10.0.0.1", "such as"},
	} {
		if got, err := ParseNetwork(tc.in); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%q: got %v, %v, want an error with %q", tc.in, got, err, tc.says)
		}
	}
}

func networks(t testing.TB, list ...string) (all Trusted) {
	t.Helper()
	for _, s := range list {
		p, err := ParseNetwork(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestContains(t *testing.T) {
	trusted := networks(t, "10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "fe80::/10")
	for addr, want := range map[string]bool{
		"10.255.255.255":   true,
		"11.0.0.0":         false,
		"192.0.2.1":        true,
		"192.0.2.2":        false,
		"::ffff:192.0.2.1": true,
		"2001:db8::1":      true,
		"2001:db9::1":      false,
		"fe80::1%eth0":     true,
	} {
		if got := trusted.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is trusted: %v", addr, got)
		}
	}
	if trusted.Contains(netip.Addr{}) || Trusted(nil).Contains(netip.MustParseAddr("10.0.0.1")) {
		t.Error("nothing is trusted, or no address is")
	}
}

func TestClient(t *testing.T) {
	trusted := networks(t, "10.0.0.0/8", "2001:db8:1::/48")
	for _, tc := range []struct{ desc, list, want string }{
		{"one", "192.0.2.1", "192.0.2.1"},
		{"what the client has written is not reached", "198.51.100.1, 192.0.2.1", "192.0.2.1"},
		{"two proxies", "192.0.2.1, 10.1.1.1", "192.0.2.1"},
		{"three, and a forged one", "203.0.113.1,192.0.2.1,10.1.1.1,2001:db8:1::5", "192.0.2.1"},
		{"all are trusted: the farthest", "10.0.0.1, 10.0.0.2", "10.0.0.1"},
		{"a port", "192.0.2.1:4242", "192.0.2.1"},
		{"IPv6", "2001:db8::1", "2001:db8::1"},
		{"IPv6 in brackets", "[2001:db8::1]", "2001:db8::1"},
		{"IPv6 and a port", "[2001:db8::1]:4242", "2001:db8::1"},
		{"IPv4-mapped", "::ffff:192.0.2.1", "192.0.2.1"},
		{"IPv4-mapped proxy", "192.0.2.1, ::ffff:10.0.0.1", "192.0.2.1"},
		{"a zone", "fe80::1%eth0", "fe80::1"},
		{"white space", " \t192.0.2.1\t ,  10.0.0.1 ", "192.0.2.1"},
		{"garbage of the client's", "garbage, 192.0.2.1", "192.0.2.1"},
		{"garbage behind a trusted hop", "192.0.2.1, garbage, 10.0.0.1", "10.0.0.1"},
		{"garbage at the end", "192.0.2.1, unknown", "invalid IP"},
		{"an empty entry ends the list", "192.0.2.1, , 10.0.0.1", "10.0.0.1"},
		{"a comma at the end", "192.0.2.1,", "invalid IP"},
		{"nothing", "", "invalid IP"},
		{"a comma", ",", "invalid IP"},
		{"IPv4 in brackets without a port", "[192.0.2.1]", "invalid IP"},
		{"half a bracket", "[2001:db8::1", "invalid IP"},
		{"a bracket alone", "[", "invalid IP"},
		{"a name", "client.example.org", "invalid IP"},
		{"leading zeros", "192.0.2.01", "invalid IP"},
		{"a port that is none", "192.0.2.1:http", "invalid IP"},
	} {
		if got := trusted.Client([]byte(tc.list)); got.String() != tc.want {
			t.Errorf("%s: %q: got %v, want %s", tc.desc, tc.list, got, tc.want)
		}
	}
}

// FuzzForwardedFor: whoever a list names, putting hops in front of it, as a
// client can, names no other, unless all in the list were trusted.
func FuzzForwardedFor(f *testing.F) {
	f.Add("192.0.2.1, 10.1.1.1", "198.51.100.1")
	f.Add("[2001:db8::1]:4242", "x")
	f.Add("10.0.0.1, 10.0.0.2", "192.0.2.1")
	f.Add("192.0.2.1, garbage, 10.0.0.1", "")
	trusted := networks(f, "10.0.0.0/8", "2001:db8:1::/48")
	f.Fuzz(func(t *testing.T, list, forged string) {
		client := trusted.Client([]byte(list))
		if trusted.Contains(client) || !client.IsValid() {
			return
		}
		if got := trusted.Client([]byte(forged + "," + list)); got != client {
			t.Errorf("%q names %v, with %q in front of it %v", list, client, forged, got)
		}
	})
}
