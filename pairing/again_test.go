package pairing

import (
	"slices"
	"testing"
)

// parted is a table in which the clients 1 and 2 were paired and 1 went on.
func parted(t *testing.T, w1, w2 *Wishes) *Table {
	table := New(Config{IDs: 2048})
	for id, w := range map[uint32]*Wishes{1: w1, 2: w2} {
		table.Enter(id, false)
		table.Seek(id, 0, w)
	}
	if table.Pairs() != 1 {
		t.Fatal("not paired")
	}
	table.Seek(1, 1000, w1)
	check(t, table, 1000)
	return table
}

func TestAgain(t *testing.T) {
	w1 := &Wishes{Interests: []string{"go", "tea"}, Languages: []string{"de"}}
	w2 := &Wishes{Interests: []string{"tea"}, Languages: []string{"de", "en"}}
	table := parted(t, w1, w2)
	r := table.Again(2, 1500, w2)
	if !r.Possible || !r.News || r.Met || r.Partner != 1 {
		t.Fatalf("the first wish: %+v", r)
	}
	check(t, table, 1500)
	if r := table.Again(2, 1600, w2); !r.Possible || r.News || r.Met {
		t.Fatalf("the same wish: %+v", r)
	}
	r = table.Again(1, 1700, w1)
	if !r.Met || r.Match != (Match{A: 1, B: 2, WaitA: 700, Arranged: true}) {
		t.Fatalf("both wish it: %+v", r)
	}
	check(t, table, 1700)
	for _, id := range []uint32{1, 2} {
		if !table.Reunited(id) {
			t.Errorf("%d does not have its last partner", id)
		}
		interests, languages := table.Common(id)
		if !slices.Equal(interests, []string{"tea"}) || !slices.Equal(languages, []string{"de"}) {
			t.Errorf("%d has %q and %q in common", id, interests, languages)
		}
	}
	if table.Number(1) != 2 || table.Number(2) != 2 {
		t.Errorf("pairings %d and %d", table.Number(1), table.Number(2))
	}
	table.Leave(1, 2000)
	table.Leave(2, 2000)
	empty(t, table)
}

func TestAgainIsNotPossible(t *testing.T) {
	for name, happens := range map[string]func(*Table){
		"the partner has left":            func(t *Table) { t.Leave(1, 1100) },
		"somebody has the partner's id":   func(t *Table) { t.Leave(1, 1100); t.Enter(1, false) },
		"the partner has a new partner":   func(t *Table) { enter(t, 3, 1100) },
		"the partner had a new partner":   func(t *Table) { enter(t, 3, 1100); t.Leave(3, 1200) },
		"it has a new partner":            func(t *Table) { t.Seek(2, 1100, nil); enter(t, 3, 1100); enter(t, 4, 1100) },
		"the partner sits at a table":     func(t *Table) { t.Seek(1, 1100, &Wishes{Table: "Ada's"}) },
		"the partner moved":               func(t *Table) { t.Move(1, 700, 1100) },
		"the partner wishes at its table": func(t *Table) { t.Stop(1, 1100); t.Again(1, 1100, &Wishes{Table: "Ada's"}) },
	} {
		t.Run(name, func(t *testing.T) {
			table := parted(t, nil, nil)
			happens(table)
			if r := table.Again(2, 1500, nil); r != (Reunion{}) {
				t.Errorf("got %+v", r)
			}
			check(t, table, 1500)
		})
	}
	table := New(Config{IDs: 2048})
	for _, id := range []uint32{0, 5, 1 << 23} {
		if r := table.Again(id, 0, nil); r != (Reunion{}) {
			t.Errorf("nobody wishes: %+v", r)
		}
	}
	table.Enter(5, false)
	if r := table.Again(5, 0, nil); r != (Reunion{}) {
		t.Errorf("nobody is wished for: %+v", r)
	}
}

// TestAgainIsTakenBack: what a client does next ends its wish.
func TestAgainIsTakenBack(t *testing.T) {
	for name, happens := range map[string]func(*Table){
		"next": func(t *Table) { t.Seek(2, 1200, nil) },
		"stop": func(t *Table) { t.Stop(2, 1200) },
	} {
		t.Run(name, func(t *testing.T) {
			table := parted(t, nil, nil)
			table.Again(2, 1100, nil)
			happens(table)
			check(t, table, 1200)
			if r := table.Again(1, 1300, nil); !r.Possible || r.Met {
				t.Errorf("got %+v", r)
			}
		})
	}
}
