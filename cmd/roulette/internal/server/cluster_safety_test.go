package server

import (
	"net/http"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/mesh"
	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/cmd/roulette/internal/stamp"
	"roulette/frame/record"
)

// meetAbroad has two of two nodes meet, and returns the opening of the first.
func meetAbroad(t *testing.T, a, b *person) (opening string) {
	t.Helper()
	for _, p := range []*person{a, b} {
		p.next()
		p.event("waiting")
	}
	opening, theirs := a.event("paired").Opening, b.event("paired").Opening
	if opening == "" || theirs == "" || opening == theirs {
		t.Fatalf("openings %q and %q", opening, theirs)
	}
	return opening
}

// TestReportAcrossNodes: what somebody on another node has said can be reported here, and
// what was altered cannot.
func TestReportAcrossNodes(t *testing.T) {
	servertest.Parallel(t)
	reports := new(shelf)
	_, _, addrs := startNodes(t, 2, Config{Safety: safety.On, Reports: reports, PersonSecret: safety.NewSecret()})
	a, _ := dialGreeting(t, addrs[0], canSafety)
	b, _ := dialGreeting(t, addrs[1], canSafety)
	opening := meetAbroad(t, a, b)
	b.says("buy")
	b.says("watches")
	a.hears("buy")
	a.hears("watches")
	b.next()
	mark := a.event("stamp").Mark
	a.event("left")
	a.command(record.Command{Kind: record.Report, Opening: opening, Last: mark, Reason: "spam", Messages: relayed("buy", "roses")})
	a.refused("report_untrue")
	a.command(record.Command{Kind: record.Report, Opening: opening, Last: mark, Reason: "spam", Messages: relayed("buy", "watches")})
	a.event("reported")
	if all := reports.all(); len(all) != 1 || !all[0].Reported.Known() || all[0].Reported == all[0].Reporter {
		t.Errorf("got %+v", all)
	}
}

// TestBlockAcrossNodes: whoever is blocked is gone, wherever they are, and has the same name
// on all nodes.
func TestBlockAcrossNodes(t *testing.T) {
	servertest.Parallel(t)
	secret := safety.NewSecret()
	_, servers, addrs := startNodes(t, 2, Config{Safety: safety.On, PersonSecret: secret})
	jars := [2]*http.Cookie{new(http.Cookie), new(http.Cookie)}
	a, b := dialPage(t, addrs[0], jars[0], nil), dialPage(t, addrs[1], jars[1], nil)
	opening := meetAbroad(t, a, b)
	a.command(record.Command{Kind: record.Block, Opening: opening})
	name := a.event("blocked").Name
	if e := b.event("left"); e.Reason != record.LeftStop {
		t.Errorf("got %+v", e)
	}
	var who [2]safety.Person
	for i, jar := range jars {
		var err error
		if who[i], _, err = secret.Cookie([]byte(jar.Value), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if blocked, ok := stamp.NewBlocks(secret).Named(who[0], name); !ok || blocked != who[1] {
		t.Errorf("they are %v, and blocked is %v", who[1], blocked)
	}
	if servers[0].across() != 0 {
		servertest.Await(t, "the pair to end", func() bool { return servers[0].across() == 0 })
	}
}

// TestBlockedOnAnotherNode: whoever waits here is neither reserved for somebody whom they
// have blocked, nor claimed, whichever of the two has; others are.
func TestBlockedOnAnotherNode(t *testing.T) {
	servertest.Parallel(t)
	secret := safety.NewSecret()
	waits, other, foe := safety.NewPerson(), safety.NewPerson(), safety.NewPerson()
	name := string(stamp.NewBlocks(secret).AppendName(nil, waits, foe))
	_, servers, addrs := startNodes(t, 2, Config{Safety: safety.On, PersonSecret: secret})
	jar := &http.Cookie{Name: plainCookie, Value: string(secret.AppendCookie(nil, waits, time.Now()))}
	a := dialPage(t, addrs[0], jar, []string{name})
	a.next()
	a.event("waiting")

	c := servers[0].cluster
	var list []mesh.Waiter
	servertest.Await(t, "a to have waited for long enough to be offered", func() bool {
		list = c.Waiting(10)
		return len(list) == 1
	})
	if got := safety.Person(list[0].Stranger.Who); got != waits {
		t.Errorf("%v is offered, and waits as %v", got, waits)
	}
	stranger := func(who safety.Person, person uint64) *mesh.Stranger {
		return &mesh.Stranger{Home: 7, Person: person, Waited: 60_000, Who: mesh.Who(who)}
	}
	const chat = mesh.Chat(1 << 40) // none that the Mesh gives
	if _, ok := c.Reserve(chat, stranger(foe, 1)); ok {
		t.Error("reserved for whom they have blocked")
	}
	if c.Claim(chat, list[0].Ticket, stranger(foe, 1)) {
		t.Error("claimed for whom they have blocked")
	}
	if found, ok := c.Reserve(chat, stranger(other, 2)); !ok || safety.Person(found.Who) != waits {
		t.Errorf("not reserved for somebody else: %+v", found)
	}
	c.End(chat, mesh.Lost)
	servertest.Await(t, "a to be free again", func() bool { return c.of(chat) == nil && len(c.Waiting(10)) == 1 })
	if !c.Claim(chat, list[0].Ticket, stranger(other, 2)) {
		t.Error("not claimed for somebody else")
	}
	c.End(chat, mesh.Lost)
	servertest.Await(t, "the stranger to have gone", func() bool { return c.of(chat) == nil })
}
