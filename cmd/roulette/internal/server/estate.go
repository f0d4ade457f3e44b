package server

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"sync"

	"roulette/cmd/roulette/internal/limit"
	"roulette/cmd/roulette/internal/mesh"
	"roulette/cmd/roulette/internal/resume"
	"roulette/cmd/roulette/internal/safety"
	"roulette/metrics"
	"roulette/pairing"
)

// A state is how a server is written down as a whole:
//
//	magic, version, seed of the address table
//	the number of connections, and a carry for each
//	nodes whose tokens of unknown pairs are of ended ones
//	pairs that resume knows, people who are away
//	names of the connections in the hand-over, as many as there are, or none
//	what was counted, and the moment
//	the node it is for others, and who of theirs has a seat
//
// Nothing but estate, testament and carry know that.

// stateMagic begins it.
const stateMagic = "roulette state"

// estate is what a server leaves, while all its workers stand still.
type estate struct {
	server  *Server
	version byte

	// Each worker's.
	given   [][]*carry
	bytes   [][]byte
	failed  []error
	counted []metrics.Counters

	testament
}

// testament is what of a server is no connection's, and the carries.
type testament struct {
	seed    limit.Seed
	carries []*carry
	nodes   []resume.Node
	pairs   []*kept // places are of the server that wrote them
	away    []*carriedAbsence
	names   []uint64
	legacy  legacy

	mesh      []byte // a [mesh.Mesh]'s state; nil: it is alone
	strangers []*carriedStranger
	node      *mesh.State // mesh, parsed
}

// legacy is what a successor goes on with besides.
type legacy struct {
	Counters  *metrics.Counters               `json:"counters"`
	Handovers [metrics.HandoverResults]uint64 `json:"handovers"`
	Release   string                          `json:"release"`
	Frozen    int64                           `json:"frozen"` // CLOCK_MONOTONIC, in nanoseconds
	People    *carriedPeople                  `json:"people,omitempty"`
	Decisions safety.Decisions                `json:"decisions,omitempty"`
}

// carriedAbsence is somebody who is away.
type carriedAbsence struct {
	place      seat
	pair       int // its index among the pairs
	side       uint8
	why        metrics.EndReason
	attributed bool
	hidden     bool
	key        uint32
	network    limit.Network // of the key
	age, left  uint32        // since the connection was lost, until the seat is given up, in milliseconds
	standing   *pairing.Standing
}

func (s *Server) newEstate(version byte) *estate {
	n := len(s.poller.Workers())
	return &estate{server: s, version: version, given: make([][]*carry, n), bytes: make([][]byte, n), failed: make([]error, n), counted: make([]metrics.Counters, n)}
}

// err is why the server cannot be left.
func (e *estate) err() error { return errors.Join(e.failed...) }

// describe is a step of a standstill.
func (e *estate) describe(h *handler) {
	i := h.worker.Index()
	e.given[i], e.failed[i] = h.describe()
	for _, k := range e.given[i] {
		e.bytes[i] = k.append(e.bytes[i], e.version)
	}
	e.counted[i] = *h.collect()
}

// describeBreaks is the next one: what resume keeps.
func (e *estate) describeBreaks(h *handler) {
	if h.worker.Index() != 0 {
		return
	}
	s, r, now := e.server, &e.server.breaks, e.server.breaks.now()
	e.seed = s.addresses.Seed()
	e.legacy.Counters = metrics.NewCounters()
	if before := s.before.Load(); before != nil {
		e.legacy.Counters.Add(before)
	}
	for i := range e.counted {
		e.legacy.Counters.Add(&e.counted[i])
	}
	e.legacy.People = e.describePeople(now)
	r.mu.Lock()
	defer r.mu.Unlock()
	e.nodes = append([]resume.Node{r.node}, r.earlier...)
	e.nodes = e.nodes[:min(len(e.nodes), maxNodes)]
	at := make(map[resume.ID]int, r.pairs.n)
	add := func(k *kept) *kept {
		i, known := at[k.id]
		if !known {
			i = len(e.pairs)
			at[k.id] = i
			e.pairs = append(e.pairs, k.clone())
		}
		return e.pairs[i]
	}
	for k := range r.pairs.all {
		add(k)
	}
	for _, carries := range e.given {
		for _, k := range carries {
			if k.kept != nil {
				add(k.kept).put(k.side, keptSide{place: k.id, holder: k.traits.holder, wishes: k.traits.wishes})
			}
		}
	}
	for i := range r.queues {
		for place := r.queues[i].first; place != 0; {
			a := s.standIns.of(place)
			standing, ok := s.pairs.Standing(place, now)
			if !ok {
				e.failed[0] = errors.New("server: somebody is away who is not in the table")
				return
			}
			e.away = append(e.away, &carriedAbsence{
				place: place, pair: at[a.pair.id], side: a.side, why: a.why, attributed: a.attributed, key: a.key, network: s.addresses.Network(a.key),
				hidden: a.manner == fromHiding, age: now - a.since, left: uint32(max(int32(a.due-now), 0)), standing: &standing,
			})
			place = a.next
		}
	}
}

// append appends the state.
func (e *estate) append(dst []byte) []byte {
	n := 0
	for _, carries := range e.given {
		n += len(carries)
	}
	w := writer{b: appendHead(dst, e.version, e.seed, n), version: e.version}
	for _, b := range e.bytes {
		w.b = append(w.b, b...)
	}
	e.testament.append(&w)
	return w.b
}

// appendHead appends what stands before the carries.
func appendHead(dst []byte, version byte, seed limit.Seed, carries int) []byte {
	w := writer{b: append(dst, stateMagic...)}
	w.b = append(w.b, version)
	w.b = append(w.b, seed[:]...)
	w.uints(uint64(carries))
	return w.b
}

func parseHead(b []byte) (version byte, seed limit.Seed, carries int, rest []byte, err error) {
	r := reader{b: b}
	if string(r.take(len(stateMagic))) != stateMagic {
		return 0, seed, 0, nil, errCarry
	}
	if version = r.byte(); r.err != nil || version < oldestState || version > newestState {
		return 0, seed, 0, nil, errCarry
	}
	copy(seed[:], r.take(len(seed)))
	n := r.uint(1 << 24)
	return version, seed, int(n), r.b, r.err
}

// append appends what stands behind the carries.
func (t *testament) append(w *writer) {
	w.uints(uint64(len(t.nodes)))
	for _, n := range t.nodes {
		w.uints(uint64(n))
	}
	w.uints(uint64(len(t.pairs)))
	for _, k := range t.pairs {
		w.b = append(w.b, k.id[:]...)
		w.bytes(k.exchange.Append(nil))
		for side := range k.places {
			w.uints(uint64(k.places[side]), k.holders[side])
			w.wishes(k.wishes(side))
		}
	}
	w.uints(uint64(len(t.away)))
	for _, a := range t.away {
		w.uints(uint64(a.place), uint64(a.pair), uint64(a.side), uint64(a.why), uint64(a.key), uint64(a.network), uint64(a.age), uint64(a.left))
		w.bool(a.attributed)
		w.bool(a.hidden)
		w.standing(a.standing)
	}
	w.uints(uint64(len(t.names)))
	for _, n := range t.names {
		w.uints(n)
	}
	legacy, _ := json.Marshal(&t.legacy) // never fails
	w.bytes(legacy)
	t.appendStrangers(w)
}

// parseState reads n carries, of which each connection can be made, and the rest.
func parseState(b []byte, n int) (*testament, error) {
	t := new(testament)
	version, seed, many, b, err := parseHead(b)
	if err != nil || many != n {
		return nil, cmp.Or(err, errCarry)
	}
	t.seed = seed
	if t.carries, b, err = parseCarries(b, n, version); err != nil {
		return nil, err
	}
	known := make(map[seat]*pairing.Standing, n)
	for _, k := range t.carries {
		known[k.id] = k.standing
	}
	r := reader{b: b, version: version}
	t.parse(&r)
	for _, a := range t.away {
		known[a.place] = a.standing
	}
	for _, s := range t.strangers {
		known[s.place] = s.standing
	}
	if r.err != nil || len(r.b) > 0 || len(known) != n+len(t.away)+len(t.strangers) || len(t.names) != 0 && len(t.names) != n {
		return nil, errCarry
	}
	return t, t.check(known)
}

// parseCarries takes n carries off b, some on each processor: nobody is served
// meanwhile.
func parseCarries(b []byte, n int, version byte) (all []*carry, rest []byte, err error) {
	const atOnce = 512
	all = make([]*carry, n)
	failed := make([]error, (n+atOnce-1)/atOnce)
	var parts sync.WaitGroup
	for i := range failed {
		part := all[i*atOnce : min((i+1)*atOnce, n)]
		from := b
		for range part {
			if b, err = skipCarry(b); err != nil {
				return nil, nil, err // the others parse on for nobody
			}
		}
		parts.Go(func() {
			for j := range part {
				if part[j], from, failed[i] = parseCarry(from, version); failed[i] != nil {
					return
				}
				if failed[i] = part[j].unparsed.check(); failed[i] != nil {
					return
				}
			}
		})
	}
	parts.Wait()
	return all, b, errors.Join(failed...)
}

// check sees whether a message can go on. u may be nil.
func (u *unparsed) check() error {
	if u == nil {
		return nil
	}
	var d partial
	d.Limit = int(u.limit)
	rest, ok := d.RestoreState(u.decoder)
	d.Release()
	if !ok || len(rest) > 0 {
		return errCarry
	}
	return nil
}

// check sees whether what is said of one fits what is said of others.
func (t *testament) check(known map[seat]*pairing.Standing) error {
	for id, s := range known {
		if s == nil || !s.Paired {
			continue
		}
		if p := known[s.Partner]; p == nil || p == s || !p.Paired || p.Partner != id {
			return errCarry // I5
		}
	}
	pairs := make(map[resume.ID]bool, len(t.pairs))
	for _, k := range t.pairs {
		pairs[k.id] = true
	}
	for _, k := range t.carries {
		if k.traits != nil && k.traits.pair != nil && !pairs[resume.ID(k.traits.pair)] {
			return errCarry
		}
	}
	for _, a := range t.away {
		if t.pairs[a.pair].places[a.side] != a.place {
			return errCarry
		}
	}
	if len(pairs) != len(t.pairs) {
		return errCarry
	}
	return nil
}

func (t *testament) parse(r *reader) {
	for range r.uint(maxNodes) {
		t.nodes = append(t.nodes, resume.Node(r.uint(math.MaxUint64)))
	}
	for n := r.uint(uint64(len(r.b))); n > 0 && r.err == nil; n-- {
		k := new(kept)
		copy(k.id[:], r.take(len(k.id)))
		if r.err == nil && k.exchange.Parse(r.bytes(math.MaxInt32)) != nil {
			r.err = errCarry
		}
		for side := range k.places {
			k.put(side, keptSide{place: r.uint32(), holder: r.uint(math.MaxUint64), wishes: r.wishes()})
		}
		t.pairs = append(t.pairs, k)
	}
	for n := r.uint(uint64(len(r.b))); n > 0 && r.err == nil; n-- {
		a := &carriedAbsence{place: r.uint32(), pair: int(r.uint(uint64(max(len(t.pairs), 1) - 1))), side: uint8(r.uint(1)),
			why: metrics.EndReason(r.uint(math.MaxUint8)), key: r.uint32(), network: limit.Network(r.uint(math.MaxUint64)), age: r.uint32(), left: r.uint32(),
			attributed: r.bool(), hidden: r.bool(), standing: r.standing()}
		if _, ok := partingOf(a.why); !ok || len(t.pairs) == 0 {
			r.err = errCarry
		}
		t.away = append(t.away, a)
	}
	for n := r.uint(uint64(len(r.b))); n > 0 && r.err == nil; n-- {
		t.names = append(t.names, r.uint(math.MaxUint64))
	}
	if legacy := r.bytes(math.MaxInt32); r.err == nil && json.Unmarshal(legacy, &t.legacy) != nil {
		r.err = errCarry
	}
	t.parseStrangers(r)
}

// partingOf is how a pair ends that is counted so.
func partingOf(why metrics.EndReason) (parting, bool) {
	all := []parting{closed, lost, byStall, kicked}
	i := slices.IndexFunc(all, func(p parting) bool { return p.counted == why })
	if i < 0 {
		return parting{}, false
	}
	return all[i], true
}
