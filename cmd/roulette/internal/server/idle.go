package server

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// idleConns are the connections of net/http between two requests, the one that has
// been idle for longest first. Balancers want idle connections to be kept for long,
// and there are only so many places (I4): whoever comes when all are taken gets that
// of the first.
type idleConns struct {
	mu    sync.Mutex
	order list.List // guarded by mu; of net.Conn
	at    map[net.Conn]*list.Element
}

// changed implements [http.Server.ConnState].
func (i *idleConns) changed(c net.Conn, state http.ConnState) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if e := i.at[c]; e != nil {
		i.order.Remove(e)
		delete(i.at, c)
	}
	if state == http.StateIdle {
		if i.at == nil {
			i.at = make(map[net.Conn]*list.Element)
		}
		i.at[c] = i.order.PushBack(c)
	}
}

// closeOldest ends one, of those for which of is true, and tells whether there was any.
// net/http finds out when it reads; the place is free at once.
func (i *idleConns) closeOldest(of func(*httpConn) bool) bool {
	i.mu.Lock()
	e := i.order.Front()
	for e != nil && of != nil && !of(e.Value.(*httpConn)) {
		e = e.Next()
	}
	if e == nil {
		i.mu.Unlock()
		return false
	}
	c := i.order.Remove(e).(net.Conn)
	delete(i.at, c)
	i.mu.Unlock()
	c.Close()
	return true
}
