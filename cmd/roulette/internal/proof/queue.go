package proof

import (
	"container/heap"
	"sync"
	"time"
)

// MaxQueue bounds the proofs that wait (I4).
const MaxQueue = 256

// rest is for how long the verifier rests after a proof, in times of what that took: so
// it takes a fifth of a processor at most.
const rest = 4

// Queue verifies proofs, one at a time, beside everything else: those of more effort
// first. The zero value is ready. Any goroutine may call any method.
type Queue struct {
	mu sync.Mutex
	// Guarded by mu.
	waiting works
	came    uint64
	running bool
	closed  bool
}

// work is a proof that waits.
type work struct {
	puzzle  Puzzle
	answers Answers
	came    uint64
	then    func(right bool)
}

// works is a heap: the most effort first, then who came first.
type works []*work

func (w works) Len() int { return len(w) }
func (w works) Less(i, j int) bool {
	if w[i].puzzle.Bits != w[j].puzzle.Bits {
		return w[i].puzzle.Bits > w[j].puzzle.Bits
	}
	return w[i].came < w[j].came
}
func (w works) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w *works) Push(x any)   { *w = append(*w, x.(*work)) }
func (w *works) Pop() any {
	last := len(*w) - 1
	x := (*w)[last]
	(*w)[last], *w = nil, (*w)[:last]
	return x
}

// Add has a proof verified, and then called with what came of it, on the verifier's
// goroutine. False: too many wait, with as much effort.
func (q *Queue) Add(p Puzzle, a Answers, then func(right bool)) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.waiting) >= MaxQueue && !q.makeRoom(p.Bits) {
		return false
	}
	q.came++
	heap.Push(&q.waiting, &work{p, a, q.came, then})
	if !q.running {
		q.running = true
		go q.run()
	}
	return true
}

// makeRoom has the proof of the least effort, and of those the last, give way to one of
// more.
func (q *Queue) makeRoom(bits int) bool {
	least := 0
	for i := range q.waiting {
		if q.waiting.Less(least, i) {
			least = i
		}
	}
	w := q.waiting[least]
	if w.puzzle.Bits >= bits {
		return false
	}
	heap.Remove(&q.waiting, least)
	go w.then(false)
	return true
}

// Close forgets the proofs that wait, and takes no more. One may be under way still.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting, q.closed = nil, true
}

// Waiting is how many proofs wait.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// run verifies until nothing waits.
func (q *Queue) run() {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.waiting, q.running = nil, false
			q.mu.Unlock()
			return
		}
		w := heap.Pop(&q.waiting).(*work)
		q.mu.Unlock()
		began := time.Now()
		right := w.puzzle.Verify(&w.answers)
		took := time.Since(began)
		w.then(right)
		time.Sleep(rest * min(took, 5*time.Millisecond)) // more was not work, but waiting for a processor
	}
}
