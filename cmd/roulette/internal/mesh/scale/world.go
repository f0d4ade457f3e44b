package main

import (
	"math"
	"math/rand/v2"
)

// step is the resolution of time, in milliseconds; all times are in steps.
const step = 5

func ms(n int) int32 { return int32(n / step) }

// The people. Chats are lognormal: half of them shorter than a minute, one in ten
// longer than five. Interests are as people choose them: a few are everybody's
// (Zipf's law).
const (
	chatMedian   = 60_000 // milliseconds
	chatSpread   = 1.25   // sigma of the logarithm
	goOn         = 0.85   // of chats end with next, not with going home
	interesting  = 0.6    // of people name interests, one to three
	interests    = 10_000
	zipf         = 1.1
	wordsASecond = 0.1 // messages a second of each, in a chat
)

// The rules of pairing and mesh.
var (
	patience   = ms(5000)
	offerAfter = ms(250)
	tryAgain   = ms(2000)
	tick       = ms(50)
	beatEvery  = ms(1000)
	beatSoon   = ms(100)
)

const (
	maxOffers = 64
	maxTags   = 32
)

type state uint8

const (
	chatting state = iota
	waiting
	reserved // for a chat across nodes that is not agreed yet
)

type person struct {
	node    uint16
	likes   [3]uint16 // 0: none
	state   state
	choosy  bool // insists on likes still
	place   int32
	since   int32
	offered int32 // when they were offered last
	partner int32
	last    int32 // the partner before, who is avoided
}

type kind uint8

const (
	chatEnds kind = iota
	patienceEnds
	offerArrives
	answerArrives
	bothKnow
)

type event struct {
	kind kind
	a, b int32 // people; for an offer b is the node asked
	made int32 // since of a, when the event was made: it is void if a has gone on
}

type node struct {
	open    []int32            // who take anybody
	under   map[uint16][]int32 // by interest
	old     []int32            // in the order in which they began to wait
	beatAt  int32
	said    beat
	before  beat
	people  int
	pending int
}

// beat is what a node says, as far as matching goes.
type beat struct {
	open bool
	tags []uint16
}

type world struct {
	random  *rand.Rand
	zipf    *rand.Zipf
	now     int32
	latency int32
	likes   bool
	nodes   []node
	people  []person
	wheel   [][]event
	result  *result
	measure bool
}

// wheelSlots is more than the longest time that an event lies ahead; longer chats
// are cut there.
const wheelSlots = 1 << 18 // 22 minutes

func newWorld(seed uint64, people, nodes, latency int, likes bool) *world {
	r := rand.New(rand.NewPCG(seed, 0))
	w := &world{random: r, zipf: rand.NewZipf(r, zipf, 1, interests-1), latency: ms(latency), likes: likes,
		nodes: make([]node, nodes), people: make([]person, people), wheel: make([][]event, wheelSlots), result: new(result)}
	for i := range w.nodes {
		w.nodes[i].under = make(map[uint16][]int32)
	}
	for i := range w.people {
		w.come(int32(i))
	}
	// In the beginning all chat; each pair is somewhere in the middle of it.
	for i := 0; i+1 < people; i += 2 {
		w.people[i].partner, w.people[i+1].partner = int32(i+1), int32(i)
		w.at(1+int32(r.Float64()*float64(w.chatLength())), event{kind: chatEnds, a: int32(i), b: int32(i + 1)})
	}
	if people%2 == 1 {
		w.seek(int32(people - 1))
	}
	return w
}

// come makes i a new person, on a node that a balancer chose.
func (w *world) come(i int32) {
	p := &w.people[i]
	w.nodes[p.node].people--
	*p = person{node: uint16(w.random.IntN(len(w.nodes))), partner: -1, last: -1, place: -1, offered: -tryAgain}
	w.nodes[p.node].people++
	if !w.likes || w.random.Float64() >= interesting {
		return
	}
	for k := range 1 + w.random.IntN(3) {
		p.likes[k] = uint16(1 + w.zipf.Uint64())
	}
}

func (w *world) chatLength() int32 {
	n := chatMedian * math.Exp(chatSpread*w.random.NormFloat64()) / step
	return int32(min(max(n, 1), wheelSlots-2))
}

func (w *world) at(steps int32, e event) {
	if e.kind != chatEnds {
		e.made = w.people[e.a].since
	}
	slot := (w.now + max(steps, 1)) & (wheelSlots - 1)
	w.wheel[slot] = append(w.wheel[slot], e)
}

// run lets so many milliseconds pass.
func (w *world) run(milliseconds int) {
	for end := w.now + ms(milliseconds); w.now < end; {
		w.now++
		slot := w.now & (wheelSlots - 1)
		events := w.wheel[slot]
		w.wheel[slot] = nil
		for _, e := range events {
			w.happen(e)
		}
		if len(w.nodes) > 1 && w.now%tick == 0 {
			for n := range w.nodes {
				w.tickNode(n)
			}
		}
	}
}

func (w *world) happen(e event) {
	p := &w.people[e.a]
	if e.kind == chatEnds {
		for _, i := range []int32{e.a, e.b} {
			p := &w.people[i]
			p.last, p.partner = p.partner, -1
			if w.random.Float64() >= goOn {
				w.come(i)
			}
			w.seek(i)
		}
		return
	}
	if e.kind == patienceEnds {
		if p.state == waiting && p.since == e.made {
			w.withdraw(e.a)
			w.lookAgain(e.a)
		}
		return
	}
	w.meshEvent(e, p)
}

// seek has somebody look for a partner.
func (w *world) seek(i int32) {
	p := &w.people[i]
	p.state, p.since, p.choosy = waiting, w.now, p.likes[0] != 0
	if other := w.find(p.node, p, i); other >= 0 {
		w.pair(i, other, 0)
		return
	}
	w.enter(i)
	w.at(patience, event{kind: patienceEnds, a: i})
}

// lookAgain has i, who stands in no place, look for somebody, or wait on.
func (w *world) lookAgain(i int32) {
	p := &w.people[i]
	p.choosy = p.choosy && w.now-p.since < patience
	if other := w.find(p.node, p, i); other >= 0 {
		w.pair(i, other, 0)
		return
	}
	p.state = waiting
	w.enter(i)
}

// find returns somebody on a node who fits p, or -1.
func (w *world) find(n uint16, p *person, self int32) int32 {
	node := &w.nodes[n]
	for _, like := range p.likes {
		if list := node.under[like]; like != 0 {
			if other := w.anyOf(list, p, self); other >= 0 {
				return other
			}
		}
	}
	if !p.choosy {
		return w.anyOf(node.open, p, self)
	}
	return -1
}

// anyOf returns somebody of the list, by chance, but not p's last partner while
// either has waited for less than their patience; -1 if there is nobody.
func (w *world) anyOf(list []int32, p *person, self int32) int32 {
	if len(list) == 0 {
		return -1
	}
	at := w.random.IntN(len(list))
	for k := range list {
		other := list[(at+k)%len(list)]
		o := &w.people[other]
		met := p.last == other || o.last == self
		if other != self && (!met || w.now-p.since >= patience && w.now-o.since >= patience) {
			return other
		}
	}
	return -1
}

// enter puts i in the places where they can be found.
func (w *world) enter(i int32) {
	p := &w.people[i]
	n := &w.nodes[p.node]
	if !p.choosy {
		p.place = int32(len(n.open))
		n.open = append(n.open, i)
	}
	for _, like := range p.likes {
		if like != 0 {
			n.under[like] = append(n.under[like], i)
		}
	}
	if len(w.nodes) > 1 {
		n.old = append(n.old, i)
	}
}

// withdraw takes i out of them.
func (w *world) withdraw(i int32) {
	p := &w.people[i]
	n := &w.nodes[p.node]
	if p.place >= 0 {
		last := n.open[len(n.open)-1]
		n.open[p.place] = last
		w.people[last].place = p.place
		n.open = n.open[:len(n.open)-1]
		p.place = -1
	}
	for _, like := range p.likes {
		list := n.under[like]
		for k, other := range list {
			if like != 0 && other == i {
				list[k] = list[len(list)-1]
				n.under[like] = list[:len(list)-1]
				break
			}
		}
	}
}

// pair begins a chat, which the later of the two knows after so many steps.
func (w *world) pair(a, b, later int32) {
	pa, pb := &w.people[a], &w.people[b]
	for _, i := range []int32{a, b} {
		if p := &w.people[i]; p.state == waiting {
			w.withdraw(i)
		}
	}
	across := pa.node != pb.node
	if w.measure {
		for _, p := range []*person{pa, pb} {
			w.result.wait(int(w.now+later-p.since) * step)
		}
		w.result.chats++
		if across {
			w.result.across++
		}
		if shares(pa, pb) {
			w.result.shared++
		}
	}
	length := w.chatLength()
	if across {
		w.count(float64(length) * step / 1000 * 2 * wordsASecond)
		w.count(1) // the end
	}
	pa.state, pb.state, pa.partner, pb.partner = chatting, chatting, b, a
	w.at(later+length, event{kind: chatEnds, a: a, b: b})
}

func shares(a, b *person) bool {
	for _, x := range a.likes {
		for _, y := range b.likes {
			if x != 0 && x == y {
				return true
			}
		}
	}
	return false
}

// count counts messages on the bus.
func (w *world) count(n float64) {
	if w.measure {
		w.result.bus += n
	}
}
