package safety

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func who(n int) Person { return Person{1, byte(n), byte(n >> 8), byte(n >> 16)} }

// lasting is a thing that holds until a time; by is the report that it is about.
type lasting struct {
	until time.Time
	by    string
}

// peopleModel is what is decided about people without any thought of cost.
type peopleModel struct {
	of      map[string]map[Person]lasting
	reports map[string]string
}

// TestPeopleAgainstModel: whatever is decided and undone, also with a process that
// begins anew and a clock that jumps.
func TestPeopleAgainstModel(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 2))
		path := filepath.Join(t.TempDir(), "decisions.log")
		b, _, err := Open(path, start)
		if err != nil {
			t.Fatal(err)
		}
		m := peopleModel{map[string]map[Person]lasting{doBan: {}, doShadow: {}}, map[string]string{}}
		now, latest := start, start
		for range 300 {
			now = now.Add(time.Duration(random.IntN(600)-60) * time.Second)
			if now.After(latest) {
				latest = now
			}
			v := Verdict{Do: []string{doBan, doShadow, doAbsolve, doUndo, doLift}[random.IntN(5)], By: "me", Lasts: time.Duration(1+random.IntN(3600)) * time.Second}
			if v.Do == doAbsolve || v.Do == doUndo || random.IntN(2) == 0 {
				v.Report = fmt.Sprint(random.IntN(9))
			}
			for range 1 + random.IntN(3) {
				v.People = append(v.People, who(random.IntN(6)))
			}
			if err := b.Decide(v, now); err != nil {
				t.Fatal(err)
			}
			switch v.Do {
			case doLift:
				for _, p := range v.People {
					for _, in := range m.of {
						delete(in, p)
					}
				}
			case doUndo:
				for _, p := range []string{doBan, doShadow} {
					for who, l := range m.of[p] {
						if l.by == v.Report && m.reports[v.Report] == p+fmt.Sprint(l.until) {
							delete(m.of[p], who)
						}
					}
				}
				delete(m.reports, v.Report)
			case doAbsolve:
				m.reports[v.Report] = doAbsolve
			default:
				l := lasting{now.Add(v.Lasts), v.Report}
				if v.Report != "" {
					m.reports[v.Report] = v.Do + fmt.Sprint(l.until)
				}
				for _, p := range v.People {
					m.of[v.Do][p] = l
				}
			}
			if random.IntN(5) == 0 && !now.Before(latest) {
				b.Close()
				var broken int
				if b, broken, err = Open(path, now); err != nil || broken > 0 {
					t.Fatal(broken, err)
				}
			}
			for b.Forget(now) {
			}
			for _, in := range m.of {
				for p, l := range in {
					if !now.Before(l.until) {
						delete(in, p)
					}
				}
			}
			for n := range 6 {
				p := who(n)
				until, banned := b.FindPerson(p, now)
				want, is := m.of[doBan][p]
				_, shadowed := b.Shadowed(p, now)
				_, isShadowed := m.of[doShadow][p]
				if banned != is || is && !until.Equal(want.until) || shadowed != isShadowed {
					t.Fatalf("seed %d: %v banned %t until %v, want %t %v; shadowed %t, want %t", seed, p, banned, until, is, want.until, shadowed, isShadowed)
				}
			}
			if got, want := len(b.People(now)), len(m.of[doBan])+len(m.of[doShadow]); got != want {
				t.Fatalf("seed %d: %d about people, want %d", seed, got, want)
			}
			for n := range 9 {
				id := fmt.Sprint(n)
				if got, want := b.Decided(id) != "", m.reports[id] != ""; got != want {
					t.Fatalf("seed %d: report %s decided: %t, want %t", seed, id, got, want)
				}
			}
		}
		if b.ForgetReports(func(string) bool { return false }); b.Decided("1") != "" {
			t.Error("reports that are gone are remembered")
		}
		b.Close()
	}
}

func TestVerdictsThatAreRefused(t *testing.T) {
	shared := Person{ofNetwork}
	for _, tc := range []struct {
		v    Verdict
		want error
	}{
		{Verdict{Do: "hang", People: []Person{who(1)}}, ErrNobody},
		{Verdict{Do: doBan, Lasts: time.Hour}, ErrNobody},
		{Verdict{Do: doAbsolve}, ErrNobody},
		{Verdict{Do: doBan, People: []Person{who(1)}}, ErrNotTimeLeft},
		{Verdict{Do: doShadow, People: []Person{who(1)}, Lasts: MaxTime + 1}, ErrNotTimeLeft},
		{Verdict{Do: doBan, People: []Person{who(1), shared}, Lasts: time.Hour}, ErrShared},
		{Verdict{Do: doShadow, People: []Person{shared}, Lasts: time.Hour}, ErrShared},
		{Verdict{Do: doBan, Lasts: time.Hour, People: []Person{who(1)}, Reason: "two\nlines"}, ErrReason},
		{Verdict{Do: doBan, Lasts: time.Hour, People: make([]Person, MaxPeople+1)}, ErrTooMany},
	} {
		var b Bans
		if err := b.Decide(tc.v, start); !errors.Is(err, tc.want) || len(b.People(start)) > 0 {
			t.Errorf("%s of %d people for %v: %v, want %v", tc.v.Do, len(tc.v.People), tc.v.Lasts, err, tc.want)
		}
	}
}

// TestDecisionsCutAnywhere: what was said to be decided about people outlives a process
// that is killed at any byte.
func TestDecisionsCutAnywhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decisions.log")
	b, _, err := Open(path, start)
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for n, do := range []string{doBan, doShadow, doBan} {
		if err := b.Decide(Verdict{Do: do, People: []Person{who(n)}, Lasts: time.Hour, Report: fmt.Sprint(n), By: "me"}, start); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, size(t, path))
	}
	b.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		b, broken, err := Open(path, start)
		if err != nil || broken > 1 {
			t.Fatal(broken, err)
		}
		for n, size := range sizes {
			_, banned := b.FindPerson(who(n), start)
			_, shadowed := b.Shadowed(who(n), start)
			if is := banned || shadowed; is != (cut >= size) && cut != size-1 { // the LF alone may be missing
				t.Fatalf("cut at %d of %d: %d is decided: %t", cut, size, n, is)
			}
		}
		b.Close()
	}
}

// TestAMillionPeople are banned in bounded memory, and found.
func TestAMillionPeople(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 40 MB")
	}
	all := make([]Person, MaxPeople)
	for n := range all {
		all[n] = who(n)
		all[n][15] = byte(n * 7)
	}
	path := filepath.Join(t.TempDir(), "decisions.log")
	b, _, err := Open(path, start)
	if err != nil {
		t.Fatal(err)
	}
	v := Verdict{Do: doBan, People: all, Lasts: time.Hour, By: "me"}
	if err := b.Decide(v, start); err != nil {
		t.Fatal(err)
	}
	v.People = []Person{{9}}
	if err := b.Decide(v, start); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more: %v", err)
	}
	b.Close()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, began := heap(), time.Now()
	if b, _, err = Open(path, start); err != nil {
		t.Fatal(err)
	}
	each := (heap() - before) / MaxPeople
	t.Logf("read in %v, %d bytes each", time.Since(began), each)
	if each > 120 {
		t.Errorf("%d bytes each", each)
	}
	for n := 0; n < len(all); n += 999 {
		if _, banned := b.FindPerson(all[n], start); !banned {
			t.Fatalf("%v is not banned", all[n])
		}
	}
	for b.Forget(start.Add(time.Hour)) {
	}
	if b.PeopleBanned() != 0 {
		t.Errorf("%d in force", b.PeopleBanned())
	}
	b.Close()
}
