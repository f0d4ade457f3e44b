package safety

import (
	"cmp"
	"container/heap"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gaissmai/bart"
)

// Bans are the networks that may not come in. Its zero value has none, and forgets
// all when the process ends; see Open.
type Bans struct {
	// deciding is held while a decision is made, before mu.
	deciding sync.Mutex
	// Guarded by deciding.
	journal *journal
	noting  bool        // since a successor is about to start
	noted   []*decision // since then
	left    bool        // it has taken over

	mu sync.RWMutex
	// Guarded by mu.
	networks bart.Table[*decision] // the latest about each
	people   people
	ends     ends
	named    int // networks and people of the decisions in ends

	// Atomic.
	inForce    atomic.Int64 // networks, some of which may have ended just now
	remembered atomic.Int64 // decisions in ends
}

// Open reads the decisions of the file at path, and keeps those to come in it. broken
// is how many lines of it could not be read: one that a crash has cut is none that
// anybody was told of.
func Open(path string, now time.Time) (b *Bans, broken int, err error) {
	return open(path, now, true)
}

// open is Open; tidy: the file may be written anew, without what is over.
func open(path string, now time.Time, tidy bool) (b *Bans, broken int, err error) {
	b = new(Bans)
	b.journal, broken, err = openJournal(path, tidy, func(d *decision) {
		b.enter(d)
		for b.Forget(now) {
		}
	})
	if err != nil {
		return nil, broken, err
	}
	return b, broken, nil
}

// Close closes the file.
func (b *Bans) Close() error {
	b.deciding.Lock()
	defer b.deciding.Unlock()
	if b.journal == nil {
		return nil
	}
	return b.journal.file.Close()
}

// Lasting tells whether decisions outlive the process.
func (b *Bans) Lasting() bool {
	b.deciding.Lock()
	defer b.deciding.Unlock()
	return b.journal != nil
}

// Ban bans networks, which [ParseNetwork] has made, until a time. They are banned when
// it returns, and that is on the disk; after an error they are not.
func (b *Bans) Ban(networks []netip.Prefix, until time.Time, reason, by string, now time.Time) error {
	return b.decide(networks, decision{At: now, By: by, Do: doBan, Until: until, Reason: reason})
}

// Lift ends the bans of networks: of exactly these, not of what is in them or around
// them. n is how many there were.
func (b *Bans) Lift(networks []netip.Prefix, by string, now time.Time) (n int, err error) {
	b.mu.RLock()
	for _, network := range networks {
		if d, ok := b.networks.Get(network); ok && d.inForce(now) {
			n++
		}
	}
	b.mu.RUnlock()
	if n == 0 && len(networks) > 0 {
		return 0, nil
	}
	return n, b.decide(networks, decision{At: now, By: by, Do: doLift})
}

// decide writes down what d is to be about networks, and puts it in force.
func (b *Bans) decide(networks []netip.Prefix, d decision) error {
	d.At, d.Until = d.At.UTC().Round(0), d.Until.UTC().Round(0)
	d.Who = networks
	if err := d.check(); err != nil {
		return err
	}
	var all []*decision
	for chunk := range slices.Chunk(networks, perDecision) {
		part := d
		part.Who = slices.Clone(chunk)
		all = append(all, &part)
	}
	return b.record(all, d.Do, len(networks))
}

// record writes decisions of one kind, about so many, down and puts them in force.
func (b *Bans) record(all []*decision, do string, about int) error {
	b.deciding.Lock()
	defer b.deciding.Unlock()
	if b.left {
		return ErrLeft
	}
	b.mu.RLock()
	named := b.named
	b.mu.RUnlock()
	if known[do] && named+about > MaxNetworks {
		return ErrTooMany
	}
	if err := b.journal.append(all); err != nil { // S2
		return err
	}
	for _, d := range all {
		b.enter(d)
	}
	if b.noting {
		b.noted = append(b.noted, all...)
	}
	return nil
}

// enter puts a decision in force.
func (b *Bans) enter(d *decision) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch d.Do {
	case doBan:
		for _, network := range d.Who {
			b.networks.Insert(network, d)
		}
	case doLift:
		for _, network := range d.Who {
			b.networks.Delete(network)
		}
	case doUndo:
		b.undo(d.Report)
	}
	if known[d.Do] {
		heap.Push(&b.ends, d)
		b.named += len(d.Who) + len(d.People)
		b.remembered.Store(int64(len(b.ends)))
	}
	b.people.enter(d)
	b.inForce.Store(int64(b.networks.Size()))
}

// Find is the ban of an address: of those that it is in, the last to end. False: it
// may come in.
func (b *Bans) Find(addr netip.Addr, now time.Time) (ban Ban, banned bool) {
	if b.inForce.Load() == 0 || !addr.IsValid() {
		return Ban{}, false
	}
	addr = addr.Unmap().WithZone("")
	b.mu.RLock()
	defer b.mu.RUnlock()
	if !b.networks.Contains(addr) {
		return Ban{}, false
	}
	var longest *decision
	for network, d := range b.networks.Supernets(netip.PrefixFrom(addr, addr.BitLen())) {
		if d.inForce(now) && (longest == nil || d.Until.After(longest.Until)) {
			longest, ban.Network = d, network
		}
	}
	if longest == nil {
		return Ban{}, false
	}
	return longest.ban(ban.Network), true
}

// Forget forgets one decision whose bans have ended (S5). False: there is none. Call it
// every now and then: nothing depends on when.
func (b *Bans) Forget(now time.Time) bool {
	if b.remembered.Load() == 0 {
		return false
	}
	b.mu.RLock()
	due := len(b.ends) > 0 && !b.ends[0].inForce(now)
	b.mu.RUnlock()
	if !due {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ends) == 0 || b.ends[0].inForce(now) { // another goroutine has
		return false
	}
	d := heap.Pop(&b.ends).(*decision)
	b.remembered.Store(int64(len(b.ends)))
	b.named -= len(d.Who) + len(d.People)
	b.people.forget(d)
	for _, network := range d.Who {
		if latest, ok := b.networks.Get(network); ok && latest == d {
			b.networks.Delete(network)
		}
	}
	b.inForce.Store(int64(b.networks.Size()))
	return true
}

// InForce is how many networks are banned.
func (b *Bans) InForce() int { return int(b.inForce.Load()) }

// All are the bans in force, in the order of their networks.
func (b *Bans) All(now time.Time) []Ban {
	b.mu.RLock()
	defer b.mu.RUnlock()
	all := make([]Ban, 0, b.networks.Size())
	for network, d := range b.networks.AllSorted() {
		if d.inForce(now) {
			all = append(all, d.ban(network))
		}
	}
	return all
}

// decisions are those that would put the bans in force again which are so at a time,
// the oldest first.
func (b *Bans) decisions(now time.Time) []*decision {
	of := make(map[*decision]*decision)
	var all []*decision
	for network, d := range b.networks.AllSorted() {
		if !d.inForce(now) {
			continue
		}
		rest := of[d]
		if rest == nil {
			copied := *d
			rest = &copied
			rest.Who = nil
			of[d] = rest
			all = append(all, rest)
		}
		rest.Who = append(rest.Who, network)
	}
	all = append(all, b.people.decisions(now)...)
	slices.SortStableFunc(all, func(x, y *decision) int { return cmp.Compare(x.At.UnixNano(), y.At.UnixNano()) })
	return all
}

// ends is a heap of decisions to ban: the first to end is in front.
type ends []*decision

// Len, Less, Swap, Push and Pop implement [heap.Interface].
func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].Until.Before(e[j].Until) }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *ends) Push(d any)        { *e = append(*e, d.(*decision)) }

func (e *ends) Pop() any {
	last := len(*e) - 1
	d := (*e)[last]
	(*e)[last] = nil
	*e = (*e)[:last]
	return d
}
