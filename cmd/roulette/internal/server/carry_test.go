package server

import (
	"bytes"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/limit"
	"roulette/netpoll"
	"roulette/pairing"
)

// carries are some of all kinds.
func carries() []*carry {
	return []*carry{
		{conn: netpoll.Detached{FD: -1}},
		{
			id: 77, network: 1<<64 - 1, request: &request{bytes: []byte("GET /ws HT"), client: netip.MustParseAddr("2001:db8::1")},
			conn: netpoll.Detached{FD: -1, State: uint16(handshaking) | attributed, Key: 1 << 31, Opened: 4999, Unread: []byte("half a record")}, codec: []byte("keys"),
		},
		{id: 3, request: &request{}, codec: []byte{}, conn: netpoll.Detached{FD: -1}},
		{
			id: 1<<24 - 1, conn: netpoll.Detached{FD: -1, State: uint16(richKind) | uint16(open) | pinged, Rate: 123, Heard: 1, Unmoved: 14_000,
				Unsent: bytes.Repeat([]byte("unsent"), 1000), Paused: true},
			unparsed: &unparsed{decoder: []byte("decoder"), age: 3, limit: 1 << 20, promised: true},
			traits:   &traits{told: 9, can: 5, wishes: &pairing.Wishes{Interests: []string{"go", "", "tea"}}, typing: true, typingAge: 99, online: 1_000_000, onlineAge: 5000, spokeAge: 7, again: true, partedAge: 1, begun: true, greeted: true, sought: true, resumable: 4, holder: 1<<64 - 1, muted: 4, pair: []byte("sixteen bytes of")},
			standing: &pairing.Standing{Life: 255, Number: 4, Paired: true, Partner: 12, Again: true, Insists: 3, Wishes: &pairing.Wishes{Interests: []string{"tea"}, Languages: []string{}, Table: "x"}, Last: 1, LastLife: 2, Credit: 255, Class: pairing.Shadow},
		},
		{
			conn:     netpoll.Detached{FD: -1, State: uint16(plain) | uint16(ended), Closing: true, Unsent: []byte{0x88, 2, 3, 0xe8}},
			standing: &pairing.Standing{Auto: true, Waiting: true, Since: 1 << 30, Class: pairing.Slow, Stands: pairing.Plain},
		},
	}
}

func TestCarryRoundTrip(t *testing.T) {
	list := carries()
	seed := limit.NewSeed()
	b := appendHead(nil, newestState, seed, len(list))
	for _, k := range list {
		b = k.append(b, newestState)
	}
	_, got, n, rest, err := parseHead(b)
	if err != nil || got != seed || n != len(list) {
		t.Fatalf("head: %v, %d, %v", got, n, err)
	}
	for i, want := range list {
		var k *carry
		if k, rest, err = parseCarry(rest, newestState); err != nil {
			t.Fatalf("carry %d: %v", i, err)
		}
		if !reflect.DeepEqual(k, want) {
			t.Errorf("carry %d: %+v, want %+v", i, k, want)
		}
	}
	if len(rest) > 0 {
		t.Errorf("%d bytes are left", len(rest))
	}
}

// TestCarryForTheReleaseBefore: it can read all but what it does not know.
func TestCarryForTheReleaseBefore(t *testing.T) {
	for i, want := range carries() {
		k, rest, err := parseCarry(want.append(nil, stateWithClasses-1), stateWithClasses-1)
		if err != nil || len(rest) > 0 {
			t.Fatalf("carry %d: %d bytes are left, %v", i, len(rest), err)
		}
		if want.standing != nil {
			want.standing.Class, want.standing.Stands = pairing.Ordinary, pairing.Ordinary
		}
		if !reflect.DeepEqual(k, want) {
			t.Errorf("carry %d: %+v, want %+v", i, k, want)
		}
	}
}

// TestCarryEveryPrefix: what is not whole is refused, and so is another version.
func TestCarryEveryPrefix(t *testing.T) {
	head := appendHead(nil, newestState, limit.NewSeed(), 300)
	for n := range head {
		if _, _, _, _, err := parseHead(head[:n]); err == nil {
			t.Errorf("%d of %d bytes of the head are taken", n, len(head))
		}
	}
	head[len(stateMagic)]++
	if _, _, _, _, err := parseHead(head); err == nil {
		t.Error("another version is taken")
	}
	for i, k := range carries() {
		b := k.append(nil, newestState)
		for n := range b {
			if _, _, err := parseCarry(b[:n], newestState); err == nil {
				t.Errorf("carry %d: %d of %d bytes are taken", i, n, len(b))
			}
		}
	}
}

// FuzzCarry: whatever is taken is written down again as it was.
func FuzzCarry(f *testing.F) {
	for _, k := range carries() {
		f.Add(k.append(nil, newestState))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, rest, err := parseCarry(b, newestState)
		if err != nil {
			return
		}
		taken := b[:len(b)-len(rest)]
		if again := k.append(nil, newestState); !bytes.Equal(again, taken) {
			t.Errorf("%x is written down as %x", taken, again)
		}
	})
}

// TestCarryHasEverything: whoever adds a field to what a connection or its client
// is decides here whether it moves with them.
func TestCarryHasEverything(t *testing.T) {
	for _, tc := range []struct {
		of     any
		fields string
	}{
		{&rich{}, "told extra holder online spoke typingSince onlineAt can life said"},
		{&extra{}, "wishes kept"},
		{partial{}, "Decoder since promised"},
		{request{}, "bytes client"},
		{pairing.Wishes{}, "Interests Languages Table"},
		{netpoll.Detached{}, "FD Codec Unread Unsent Held State Key Rate Heard Opened Unmoved Paused Closing"},
	} {
		typ := reflect.Indirect(reflect.ValueOf(tc.of)).Type()
		var names []string
		for i := range typ.NumField() {
			names = append(names, typ.Field(i).Name)
		}
		if got := strings.Join(names, " "); got != tc.fields {
			t.Errorf("%v has the fields %q; carried, or known not to be, are %q", typ, got, tc.fields)
		}
	}
}
