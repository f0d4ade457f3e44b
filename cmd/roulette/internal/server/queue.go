package server

// manner is how somebody went away, which decides how long their seat is kept.
type manner uint8

const (
	fromView   manner = iota // their page was seen
	fromHiding               // it was in the background, and is perhaps frozen: their time is longer
	fromStart                // perhaps they have no token yet to come back with: it is shorter
	manners
)

// queue is people who went away in one manner: in the order in which their time is
// over, as it is the same for all of them. The zero value is empty.
type queue struct {
	first, last *absence
	n           int
}

// push appends a, which is in no queue.
func (q *queue) push(a *absence) {
	if a.prev = q.last; a.prev == nil {
		q.first = a
	} else {
		a.prev.next = a
	}
	q.last = a
	q.n++
}

// remove takes a out, which is in q.
func (q *queue) remove(a *absence) {
	if a.prev == nil {
		q.first = a.next
	} else {
		a.prev.next = a.next
	}
	if a.next == nil {
		q.last = a.prev
	} else {
		a.next.prev = a.prev
	}
	a.next, a.prev = nil, nil
	q.n--
}
