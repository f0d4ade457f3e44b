package server

// manner is how somebody went away, which decides how long their seat is kept.
type manner uint8

const (
	fromView   manner = iota // their page was seen
	fromHiding               // it was in the background, and is perhaps frozen: their time is longer
	fromStart                // perhaps they have no token yet to come back with: it is shorter
	manners

	cameHome = manners // they are away no more
)

// queue is people who went away in one manner: in the order in which their time is
// over, as it is the same for all of them. They are named by the seats that they are kept.
// The zero value is empty.
type queue struct {
	first, last seat // 0: none, for no stand-in sits there
	n           int
}

// push appends a, which is in no queue and stands in the place.
func (q *queue) push(in *standIns[*absence], a *absence, place seat) {
	if a.prev = q.last; a.prev == 0 {
		q.first = place
	} else {
		in.of(a.prev).next = place
	}
	q.last = place
	q.n++
}

// remove takes a out, which is in q.
func (q *queue) remove(in *standIns[*absence], a *absence) {
	if a.prev == 0 {
		q.first = a.next
	} else {
		in.of(a.prev).next = a.next
	}
	if a.next == 0 {
		q.last = a.prev
	} else {
		in.of(a.next).prev = a.prev
	}
	a.next, a.prev = 0, 0
	q.n--
}
