// Package lobby pairs connections in the order of their arrival. It is as little
// as a relay needs, so that what is measured is the library under it.
package lobby

import (
	"sync"
	"sync/atomic"
)

// Sorry is what a client hears that has no partner.
const Sorry = "Sorry you dont have partner yet, check back in a minute"

// A Member is one connection of the kind T. The zero value has no partner.
type Member[T any] struct {
	Conn    T
	partner atomic.Pointer[Member[T]]
}

// Partner is whom messages go to now, or nil.
func (m *Member[T]) Partner() *Member[T] { return m.partner.Load() }

// Echo makes m its own partner.
func (m *Member[T]) Echo() { m.partner.Store(m) }

// A Lobby is who waits: one at most, since two would be a pair.
type Lobby[T any] struct {
	mu      sync.Mutex
	waiting *Member[T] // Guarded by mu.
}

// Enter pairs m with whoever waits, or lets it wait.
func (l *Lobby[T]) Enter(m *Member[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enterLocked(m)
}

func (l *Lobby[T]) enterLocked(m *Member[T]) {
	if l.waiting == nil {
		l.waiting = m
		return
	}
	m.partner.Store(l.waiting)
	l.waiting.partner.Store(m)
	l.waiting = nil
}

// Leave takes m out; its partner waits for another.
func (l *Lobby[T]) Leave(m *Member[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting == m {
		l.waiting = nil
	}
	p := m.partner.Swap(nil)
	if p == nil || p == m {
		return
	}
	p.partner.Store(nil)
	l.enterLocked(p)
}
