package simulator

import (
	easygo "github.com/mailru/easygo/netpoll"
)

// epoll is a simulated epoll(7) with what easygo puts around it: callbacks by
// descriptor number, looked up for a whole batch of events before the first of
// them is called.
type epoll struct {
	kernel *kernel
	fd     int
	all    []*item // registrations
	ready  []*item // in the kernel's ready list
	closed bool
}

// item is one registration.
type item struct {
	epoll    *epoll
	file     int // index
	place    int // in epoll.all
	events   easygo.EpollEvent
	callback func(easygo.EpollEvent)
	queued   bool // stands in epoll.ready
	deleted  bool
}

// event is what a batch consists of.
type event struct {
	callback func(easygo.EpollEvent)
	events   easygo.EpollEvent
}

func (ep *epoll) find(fd int) *item {
	i := fd - firstNumber
	if i < 0 || i >= len(ep.kernel.files) {
		return nil
	}
	for _, it := range ep.kernel.files[i].items {
		if it.epoll == ep {
			return it
		}
	}
	return nil
}

func (ep *epoll) Add(fd int, events easygo.EpollEvent, callback func(easygo.EpollEvent)) error {
	switch i := fd - firstNumber; {
	case ep.closed:
		return easygo.ErrClosed
	case ep.find(fd) != nil:
		return easygo.ErrRegistered
	case i < 0 || i >= len(ep.kernel.files) || ep.kernel.files[i].kind == closedFile:
		ep.kernel.failf("epoll_ctl: Add of descriptor %d, which is not open", fd)
	}
	f := &ep.kernel.files[fd-firstNumber]
	it := &item{epoll: ep, file: fd - firstNumber, place: len(ep.all), events: events, callback: callback}
	ep.all = append(ep.all, it)
	f.items = append(f.items, it)
	if f.kind == socketFile {
		f.socket.own(ep.kernel.running, "epoll_ctl")
	}
	it.repoll()
	ep.kernel.maybeYield()
	return nil
}

func (ep *epoll) Mod(fd int, events easygo.EpollEvent) error {
	it := ep.find(fd)
	switch {
	case ep.closed:
		return easygo.ErrClosed
	case it == nil:
		return easygo.ErrNotRegistered
	}
	it.events = events
	it.repoll()
	return nil
}

func (ep *epoll) Del(fd int) error {
	it := ep.find(fd)
	switch {
	case ep.closed:
		return easygo.ErrClosed
	case it == nil:
		return easygo.ErrNotRegistered
	}
	it.deleted = true
	last := ep.all[len(ep.all)-1]
	ep.all[it.place], last.place = last, it.place
	ep.all = ep.all[:len(ep.all)-1]
	items := ep.kernel.files[it.file].items
	for i := range items {
		if items[i] == it {
			ep.kernel.files[it.file].items = append(items[:i], items[i+1:]...)
			break
		}
	}
	ep.kernel.maybeYield()
	return nil
}

func (ep *epoll) Close() error {
	if ep.closed {
		return easygo.ErrClosed
	}
	if len(ep.all) > 0 {
		ep.kernel.failf("epoll closed with %d descriptors in it", len(ep.all))
	}
	ep.closed = true
	ep.kernel.closeFile(ep.fd)
	return nil
}

// wake puts a descriptor's registrations into the ready lists; what there is to
// report is found out when the events are fetched, as ep_send_events does.
func (f *file) wake() {
	for _, it := range f.items {
		it.queue()
	}
}

// queued tells whether a descriptor stands in a ready list.
func (f *file) queued() bool {
	for _, it := range f.items {
		if it.queued {
			return true
		}
	}
	return false
}

func (it *item) queue() {
	if !it.queued {
		it.queued = true
		it.epoll.ready = append(it.epoll.ready, it)
	}
}

// repoll reports what is pending as if it had just come, as Add and Mod do.
func (it *item) repoll() {
	if it.epoll.kernel.poll(it.file)&it.wanted() != 0 {
		it.queue()
	}
}

func (it *item) wanted() easygo.EpollEvent { return it.events | easygo.EPOLLERR | easygo.EPOLLHUP }

// poll is a descriptor's state.
func (k *kernel) poll(i int) easygo.EpollEvent {
	f := &k.files[i]
	switch f.kind {
	case listenerFile:
		if k.listener.fd == firstNumber+i && len(k.listener.queue) > 0 {
			return easygo.EPOLLIN
		}
	case timerFile, eventFile:
		if f.count > 0 {
			return easygo.EPOLLIN
		}
	case socketFile:
		return f.socket.poll()
	}
	return 0
}

// fetch is epoll_wait(2), with an order drawn from the seed, and faults.
func (ep *epoll) fetch(batch []event) []event {
	k := ep.kernel
	most := 1 + k.rnd.below(k.plan.batch)
	if k.calm {
		most = len(ep.ready)
	}
	var again []*item
	for len(ep.ready) > 0 && len(batch) < most {
		i, last := k.rnd.below(len(ep.ready)), len(ep.ready)-1
		it := ep.ready[i]
		ep.ready[i] = ep.ready[last]
		ep.ready = ep.ready[:last]
		if it.deleted {
			continue
		}
		if k.faulty(k.plan.late) {
			again = append(again, it)
			continue
		}
		it.queued = false
		events := k.poll(it.file) & it.wanted()
		if events == 0 {
			continue
		}
		batch = append(batch, event{it.callback, events})
		if it.events&easygo.EPOLLET == 0 || k.faulty(k.plan.duplicate) {
			it.queued = true
			again = append(again, it)
		}
	}
	ep.ready = append(ep.ready, again...)
	if len(ep.all) > 0 && k.faulty(k.plan.spurious) {
		it := ep.all[k.rnd.below(len(ep.all))]
		flags := pick[easygo.EpollEvent](&k.rnd, easygo.EPOLLIN, easygo.EPOLLOUT, easygo.EPOLLIN|easygo.EPOLLOUT,
			easygo.EPOLLIN|easygo.EPOLLRDHUP, easygo.EPOLLERR|easygo.EPOLLHUP,
			easygo.EPOLLIN|easygo.EPOLLOUT|easygo.EPOLLRDHUP|easygo.EPOLLHUP|easygo.EPOLLERR)
		batch = append(batch, event{it.callback, flags & it.wanted()})
	}
	return batch
}

// arrived tells some of the workers of a new connection, one at the least
// (EPOLLEXCLUSIVE).
func (k *kernel) arrived() {
	f := &k.files[k.listener.fd-firstNumber]
	if len(f.items) == 0 {
		return
	}
	f.items[k.rnd.below(len(f.items))].queue()
	for _, it := range f.items {
		if k.rnd.oneIn(3) {
			it.queue()
		}
	}
}
