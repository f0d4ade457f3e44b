package simulator

import (
	"iter"
	"sync"
)

// worker is the goroutine of one epoll, as a coroutine: it runs when the
// simulator resumes it, and gives way at the system calls and in front of write
// locks, so that every order in which workers overtake each other there can be
// drawn.
type worker struct {
	kernel *kernel
	index  int
	epoll  *epoll
	resume func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool
	batch  []event

	jobs    []func() // of a porter, which has no epoll
	batches int
	busy    bool        // in the middle of a batch
	serving bool        // and of an event
	wants   *sync.Mutex // it waits for
	reading *client     // whose bytes it is working on
	from    int         // its first message that they completed
}

func newWorker(k *kernel, ep *epoll) *worker {
	w := &worker{kernel: k, index: len(k.workers) - k.retired, epoll: ep}
	w.resume, w.stop = iter.Pull(w.loop)
	return w
}

// newPorter makes a worker that does one job after the other.
func newPorter(k *kernel) *worker {
	w := &worker{kernel: k}
	w.resume, w.stop = iter.Pull(w.carry)
	return w
}

// abandoned unwinds a worker that is stopped in the middle of a batch.
type abandoned struct{}

func recoverAbandoned() {
	if r := recover(); r != nil && r != (abandoned{}) {
		panic(r)
	}
}

func (w *worker) carry(yield func(struct{}) bool) {
	defer recoverAbandoned()
	w.yield = yield
	for {
		w.busy = true
		for len(w.jobs) > 0 {
			job := w.jobs[0]
			w.jobs = w.jobs[1:]
			job()
		}
		w.busy = false
		if !yield(struct{}{}) {
			return
		}
	}
}

func (w *worker) loop(yield func(struct{}) bool) {
	defer recoverAbandoned()
	w.yield = yield
	for {
		w.busy = true
		w.batches++
		w.batch = w.epoll.fetch(w.batch[:0])
		for i := range w.batch {
			e := w.batch[i]
			w.batch[i] = event{}
			w.serving = true
			e.callback(e.events)
			w.serving = false
			w.reading = nil
			if w.kernel.freezing {
				w.giveWay()
			}
			w.kernel.maybeYield()
		}
		w.busy = false
		if !yield(struct{}{}) {
			return
		}
	}
}

// ready tells whether a turn of w does anything.
func (w *worker) ready() bool {
	if w.wants != nil {
		return free(w.wants)
	}
	if w.epoll == nil {
		return w.busy || len(w.jobs) > 0
	}
	return w.busy || len(w.epoll.ready) > 0 && !w.epoll.closed
}

func free(mu *sync.Mutex) bool {
	if !mu.TryLock() {
		return false
	}
	mu.Unlock()
	return true
}

// turn lets w run until it gives way.
func (w *worker) turn() {
	w.kernel.running = w
	defer func() { w.kernel.running = nil }()
	w.resume()
}

func (w *worker) giveWay() {
	if !w.yield(struct{}{}) {
		panic(abandoned{})
	}
	if c := w.reading; c != nil {
		c.overtaken(w)
	}
}

// maybeYield is called where a worker can be overtaken.
func (k *kernel) maybeYield() {
	if k.running != nil && k.faulty(k.plan.preempt) {
		k.running.giveWay()
	}
}

// BeforeLock implements [netpoll.Scheduler].
func (k *kernel) BeforeLock(mu *sync.Mutex) {
	w := k.running
	if w == nil {
		return
	}
	k.maybeYield()
	for !free(mu) {
		w.wants = mu
		w.giveWay()
	}
	w.wants = nil
}

func (k *kernel) anyBusy() bool {
	for _, w := range k.workers {
		if w.busy {
			return true
		}
	}
	return k.porter != nil && k.porter.busy
}

// drive lets the workers run, without faults, until done.
func (k *kernel) drive(done func() bool) {
	defer func(calm bool) { k.calm = calm }(k.calm)
	k.calm = true
	for turns := 0; !done(); turns++ {
		if turns > maxTurns {
			k.failf("the workers do not come to rest")
		}
		moved := false
		if p := k.porter; p != nil && p.ready() {
			p.turn()
			moved = true
		}
		for _, w := range k.workers {
			if w.ready() {
				w.turn()
				moved = true
			}
		}
		if !moved {
			if done() {
				return
			}
			k.failf("the workers wait for each other")
		}
	}
}

// freeze has every worker stop between two events, whatever else there is to do.
func (k *kernel) freeze() {
	k.freezing = true
	defer func() { k.freezing = false }()
	k.drive(func() bool {
		for _, w := range k.workers {
			if w.serving {
				return false
			}
		}
		return true
	})
}

const maxTurns = 100_000
