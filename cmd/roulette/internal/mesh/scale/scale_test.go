package main

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestSameSeedSameTable: chance comes from the seed alone.
func TestSameSeedSameTable(t *testing.T) {
	run := func(seed uint64) *result { return simulate(seed, 1000, 10, 80, true, time.Second) }
	first := run(1)
	if !reflect.DeepEqual(first, run(1)) {
		t.Error("the same seed gave another result")
	}
	if reflect.DeepEqual(first, run(2)) {
		t.Error("another seed gave the same result")
	}
}

// TestTheModelIsSound: nobody is lost or in two places, chats are of two who are
// each other's partners, and what the table says is in the order it has to be.
func TestTheModelIsSound(t *testing.T) {
	for _, likes := range []bool{false, true} {
		w := newWorld(3, 501, 7, 20, likes)
		for range 200 {
			w.run(500)
			standing := map[int32]int{}
			for _, n := range w.nodes {
				for _, i := range n.open {
					standing[i]++
				}
			}
			for i := range w.people {
				p := &w.people[i]
				switch {
				case p.state == chatting && w.people[p.partner].partner != int32(i):
					t.Fatalf("person %d chats with %d, who does not", i, p.partner)
				case p.state == waiting && !p.choosy && standing[int32(i)] != 1:
					t.Fatalf("person %d waits in %d places", i, standing[int32(i)])
				case p.state != waiting && standing[int32(i)] != 0:
					t.Fatalf("person %d stands in the pool and does not wait", i)
				}
			}
		}
	}
	alone := simulate(1, 1000, 1, 1, false, time.Second)
	apart := simulate(1, 1000, 100, 1, false, time.Second)
	if alone.across != 0 || alone.bus != 0 {
		t.Errorf("one node has a bus: %+v", alone)
	}
	if apart.across == 0 || apart.quantile(.5) <= alone.quantile(.5) {
		t.Errorf("a hundred nodes wait no longer than one: %v, %v", apart.quantile(.5), alone.quantile(.5))
	}
}

func TestPicture(t *testing.T) {
	svg := picture([]row{{100, 1, 1, false, new(result)}, {1000, 1, 1, false, new(result)}})
	if strings.Count(svg, "<polyline") != 6 || !strings.HasSuffix(svg, "</svg>\n") {
		t.Error(svg)
	}
}
