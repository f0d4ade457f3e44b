package pairing

import (
	"fmt"
	"slices"
	"testing"
)

// relaxUntil looks every quarter of a second, from now on, and returns when
// somebody met, or until.
func relaxUntil(t *testing.T, table *Table, now, until uint32) uint32 {
	t.Helper()
	for ; now < until; now += 250 {
		met := false
		table.Relax(now, func(Match) { met = true })
		check(t, table, now)
		if met {
			return now
		}
	}
	return until
}

// TestWishes: when two meet of whom the second comes a second later, and never
// before.
func TestWishes(t *testing.T) {
	const never = 30_000
	for _, test := range []struct {
		desc        string
		first, then *Wishes
		at          uint32 // when they meet
		interests   []string
		languages   []string // of the first
	}{
		{"a language in common", &Wishes{Languages: []string{"de", "en"}}, &Wishes{Languages: []string{"en"}}, 1000, nil, []string{"en"}},
		{"no language in common", &Wishes{Languages: []string{"de"}}, &Wishes{Languages: []string{"en"}}, 9000, nil, []string{}},
		{"the second names no language", &Wishes{Languages: []string{"de"}}, nil, 8000, nil, []string{}},
		{"the first names no language", nil, &Wishes{Languages: []string{"de"}}, 9000, nil, nil},
		{"both in common", &Wishes{[]string{"go"}, []string{"de"}, ""}, &Wishes{[]string{"tea", "go"}, []string{"de"}, ""}, 1000, []string{"go"}, []string{"de"}},
		{"the language alone", &Wishes{[]string{"go"}, []string{"de"}, ""}, &Wishes{[]string{"tea"}, []string{"de"}, ""}, 6000, nil, []string{"de"}},
		{"the language alone, the second likes nothing", &Wishes{[]string{"go"}, []string{"de"}, ""}, &Wishes{nil, []string{"de"}, ""}, 5000, nil, []string{"de"}},
		{"the interest alone", &Wishes{[]string{"go"}, []string{"de"}, ""}, &Wishes{[]string{"go"}, []string{"en"}, ""}, 9000, []string{"go"}, []string{}},
		{"the interest alone, the second names no language", &Wishes{[]string{"go"}, []string{"de"}, ""}, likes("go"), 8000, []string{"go"}, []string{}},
		{"nothing in common", &Wishes{[]string{"go"}, []string{"de"}, ""}, &Wishes{[]string{"tea"}, []string{"en"}, ""}, 9000, nil, []string{}},
		{"one table", &Wishes{Table: "Ada's"}, &Wishes{Table: "Ada's"}, 1000, nil, nil},
		{"one table, whatever they like", &Wishes{[]string{"go"}, []string{"de"}, "Ada's"}, &Wishes{[]string{"tea"}, []string{"en"}, "Ada's"}, 1000, nil, []string{}},
		{"one table, and what they share", &Wishes{[]string{"go"}, []string{"de"}, "Ada's"}, &Wishes{[]string{"go"}, []string{"de"}, "Ada's"}, 1000, []string{"go"}, []string{"de"}},
		{"two tables", &Wishes{Table: "Ada's"}, &Wishes{Table: "ada's"}, never, nil, nil},
		{"a table and none", &Wishes{[]string{"go"}, []string{"de"}, "Ada's"}, &Wishes{[]string{"go"}, []string{"de"}, ""}, never, nil, nil},
		{"a table and anybody", &Wishes{Table: "Ada's"}, nil, never, nil, nil},
		{"a table that is called as an interest is", &Wishes{Table: "go"}, likes("go"), never, nil, nil},
		{"an interest that is called as a language is", likes("de"), &Wishes{Languages: []string{"de"}}, 9000, nil, nil},
	} {
		t.Run(test.desc, func(t *testing.T) {
			table := New(Config{IDs: 100})
			table.Enter(1, false)
			table.Enter(2, false)
			table.Seek(1, 0, test.first)
			if met := relaxUntil(t, table, 0, 1000); met != 1000 {
				t.Fatal("who is alone met somebody")
			}
			at := uint32(1000)
			if c := table.Seek(2, 1000, test.then); len(c.Matches()) == 0 {
				at = relaxUntil(t, table, 1000, never)
			}
			if at < test.at || at > test.at+512 {
				t.Errorf("they met at %d, want %d", at, test.at)
			}
			interests, languages := table.Common(1)
			if !slices.Equal(interests, test.interests) || !slices.Equal(languages, test.languages) || (languages == nil) != (test.languages == nil) {
				t.Errorf("in common %q and %#v", interests, languages)
			}
			if test.at == never && table.Waiting() != 2 {
				t.Errorf("%d wait", table.Waiting())
			}
			table.Leave(1, never)
			table.Leave(2, never)
			empty(t, table)
		})
	}
}

// TestWaitAtATable: it is nobody's long wait for a stranger.
func TestWaitAtATable(t *testing.T) {
	table := New(Config{IDs: 100})
	table.Enter(1, false)
	table.Seek(1, 0, &Wishes{Table: "Ada's"})
	if waited, ok := table.LongestWait(60_000); ok {
		t.Errorf("somebody has waited %d ms", waited)
	}
	if n := table.Waiting(); n != 1 {
		t.Errorf("%d wait", n)
	}
}

func TestPatience(t *testing.T) {
	for _, test := range []struct {
		wishes *Wishes
		want   uint32
	}{
		{nil, 0}, {&Wishes{}, 0}, {likes("go"), 5000}, {&Wishes{Languages: []string{"de"}}, 8000},
		{&Wishes{[]string{"go"}, []string{"de"}, ""}, 8000}, {&Wishes{[]string{"go"}, []string{"de"}, "Ada's"}, 0},
	} {
		table := New(Config{IDs: 100})
		table.Enter(1, false)
		table.Seek(1, 1000, test.wishes)
		for now, want := range map[uint32]uint32{1000: test.want, 2000: test.want - min(test.want, 1000), 60_000: 0} {
			if got := table.Patience(1, now); got != want {
				t.Errorf("%+v: %d ms at %d, want %d", test.wishes, got, now, want)
			}
		}
		enter(table, 2, 60_000)
		table.Relax(60_000, func(Match) {})
		if got := table.Patience(1, 60_000) + table.Patience(2, 60_000) + table.Patience(90, 0); got != 0 {
			t.Errorf("%+v: patience of who does not wait: %d", test.wishes, got)
		}
	}
}

// TestWhoSeeksAllTheTime leaves no appointments behind but those of its last few
// seconds.
func TestWhoSeeksAllTheTime(t *testing.T) {
	table := New(Config{IDs: 100})
	table.Enter(1, false)
	w := &Wishes{[]string{"go"}, []string{"de"}, ""}
	for now := uint32(0); now < 600_000; now += 100 {
		table.Seek(1, now, w)
		table.Relax(now, func(Match) {})
	}
	if n := len(table.appointed()); n > 60 {
		t.Errorf("%d appointments of one client", n)
	}
	check(t, table, 600_000)
}

// TestCrowdThatSharesNothing: who looks for somebody looks at few, also if all
// the others speak one language and like something of their own.
func TestCrowdThatSharesNothing(t *testing.T) {
	table := New(Config{IDs: 1 << 14})
	for id := range uint32(10_000) {
		table.Enter(id, false)
		table.Seek(id, 0, &Wishes{[]string{fmt.Sprint(id)}, []string{"en"}, ""})
	}
	if table.Pairs() != 0 {
		t.Fatal("who shares nothing met")
	}
	for _, list := range table.stripe(topic(table.hash('l', Ordinary, "en"))).seekers {
		if len(list) > 1 {
			t.Fatalf("%d stand in the way of who looks for one who speaks English", len(list))
		}
	}
	met := 0
	table.Relax(5_250, func(Match) { met++ })
	if met != 5_000 {
		t.Errorf("%d pairs who speak English", met)
	}
	check(t, table, 5_250)
}
