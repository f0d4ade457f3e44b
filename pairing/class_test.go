package pairing

import "testing"

// TestClasses: those of one class meet, and nobody else; but at a table, and the slow when
// they have waited.
func TestClasses(t *testing.T) {
	const late = 10_000 + 300 // and a slot of the wheel
	tea, music := &Wishes{Interests: []string{"tea"}}, &Wishes{Interests: []string{"music"}}
	ada := &Wishes{Table: "Ada's"}
	for _, c := range []struct {
		what           string
		a, b           Class
		wishesA        *Wishes
		wishesB        *Wishes
		atOnce, inTime bool
	}{
		{"ordinary people", Ordinary, Ordinary, nil, nil, true, true},
		{"of two classes", Ordinary, Shadow, nil, nil, false, false},
		{"plain and ordinary", Plain, Ordinary, nil, nil, false, false},
		{"two in the shadow", Shadow, Shadow, nil, nil, true, true},
		{"two slow ones", Slow, Slow, nil, nil, true, true},
		{"slow and ordinary", Slow, Ordinary, nil, nil, false, true},
		{"slow and in the shadow", Slow, Shadow, nil, nil, false, false},
		{"slow, of one interest", Slow, Ordinary, tea, tea, false, true},
		{"slow, of two interests", Slow, Ordinary, tea, music, false, true},
		{"one interest, two classes", Shadow, Ordinary, tea, tea, false, false},
		{"one interest, one class", Shadow, Shadow, tea, tea, true, true},
		{"one of them has an interest", Slow, Ordinary, tea, nil, false, true},
		{"at a table", Shadow, Ordinary, ada, ada, true, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			table := New(Config{IDs: 64, Shards: 4})
			for id, class := range []Class{c.a, c.b} {
				table.Enter(uint32(id), false)
				table.Classify(uint32(id), class)
			}
			if got := table.ClassOf(0); got != c.a {
				t.Errorf("of class %d, want %d", got, c.a)
			}
			table.Seek(0, 0, c.wishesA)
			table.Seek(1, 0, c.wishesB)
			check(t, table, 0)
			if n := table.Pairs(); (n == 1) != c.atOnce {
				t.Errorf("%d pairs at once", n)
			}
			for now := uint32(0); now < late; now += 250 {
				table.Relax(now, func(Match) {})
				check(t, table, now)
			}
			if n := table.Pairs(); (n == 1) != c.inTime {
				t.Errorf("%d pairs in time", n)
			}
		})
	}
}

// TestLeftInItsClass: who looks by itself does so in its class, whoever has left it.
func TestLeftInItsClass(t *testing.T) {
	table := New(Config{IDs: 64, Shards: 4})
	for id := range uint32(3) {
		table.Enter(id, true)
	}
	table.Classify(0, Plain)
	table.Classify(1, Plain)
	table.Seek(0, 0, nil)
	table.Seek(2, 0, nil)
	table.Seek(1, 0, nil)
	if other, ok := table.Partner(0); !ok || other != 1 {
		t.Fatalf("0 is paired with %d (%v)", other, ok)
	}
	table.Leave(1, 0)
	if _, ok := table.Partner(0); ok {
		t.Fatal("who was left met another class")
	}
	if s, _ := table.Standing(0, 0); s.Class != Plain || s.Stands != Plain || !s.Waiting {
		t.Errorf("it stands as %+v", s)
	}
	other := New(Config{IDs: 64, Shards: 4})
	for id := range uint32(3) {
		if s, ok := table.Standing(id, 0); ok {
			other.Restore(id, s, 0)
		}
	}
	check(t, other, 0)
	if other.ClassOf(0) != Plain {
		t.Error("another table has it in another class")
	}
	for w := range table.Waiters(0, 0, 64, 64) {
		if id := table.Waiters(0, 0, 64, 64)[w].ID; id == 0 {
			t.Error("it is offered to another table")
		}
	}
}
