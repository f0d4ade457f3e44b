//go:build linux

package bench

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"roulette/netpoll/nettest"

	"github.com/coder/websocket"
)

// relay is a server for tests: it pairs at random, and treats each chat message as
// spoil says.
type relay struct {
	// spoil gets the n-th chat message of one sender, from 1, and returns what
	// the partner is to receive. nil: the message itself.
	spoil func(n int, m packet) []packet
	// astray sends the n-th message of a sender to somebody else.
	astray func(n int) bool

	mu      sync.Mutex
	waiting []*member // Guarded by mu.
	members []*member // Guarded by mu.
}

type packet struct {
	kind websocket.MessageType
	data []byte
}

type member struct {
	conn    *websocket.Conn
	partner *member // Guarded by relay.mu.
	sent    int     // Owned by its handler.
}

// start serves r until the test ends and returns its URL without the path.
func (r *relay) start(t testing.TB) string {
	t.Helper()
	nettest.CheckLeaks(t)
	var handlers sync.WaitGroup
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		handlers.Add(1)
		defer handlers.Done()
		r.serve(w, req)
	}))
	t.Cleanup(func() {
		handlers.Wait() // the generator has closed everything
		s.Close()
	})
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

func (r *relay) serve(w http.ResponseWriter, req *http.Request) {
	conn, err := websocket.Accept(w, req, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxSize)
	m := &member{conn: conn}
	if req.URL.Path == "/echo" {
		m.partner = m
	} else {
		r.enter(m)
		defer r.leave(m)
	}
	ctx := context.Background()
	for {
		kind, p, err := conn.Read(ctx)
		if err != nil {
			return
		}
		r.pass(ctx, m, packet{kind, p})
	}
}

// pass relays one message. A write that fails is the reader's of that connection
// to notice.
func (r *relay) pass(ctx context.Context, m *member, p packet) {
	r.mu.Lock()
	to, other := m.partner, r.members
	r.mu.Unlock()
	if to == nil {
		_ = m.conn.Write(ctx, websocket.MessageText, []byte("Sorry you dont have partner yet, check back in a minute"))
		return
	}
	out := []packet{p}
	if h, ok := parseHead(p.data); ok && h.kind == chat {
		m.sent++
		if r.spoil != nil {
			out = r.spoil(m.sent, p)
		}
		if r.astray != nil && r.astray(m.sent) {
			for _, o := range other {
				if o != m && o != to {
					to = o
				}
			}
		}
	}
	for _, p := range out {
		_ = to.conn.Write(ctx, p.kind, p.data)
	}
}

// drain sends the members away, every one in good order but those that are to be
// cut, or get another code.
func (r *relay) drain(cut func(i int) bool, code websocket.StatusCode) {
	r.mu.Lock()
	members := r.members
	r.mu.Unlock()
	var all sync.WaitGroup
	for i, m := range members {
		all.Go(func() {
			if cut(i) {
				m.conn.CloseNow()
				return
			}
			_ = m.conn.Close(code, "server is going away")
		})
	}
	all.Wait()
}

func (r *relay) enter(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members = append(r.members, m)
	r.pairLocked(m)
}

// pairLocked lets a few gather before it chooses two of them, so that the choice is
// random.
func (r *relay) pairLocked(m *member) {
	r.waiting = append(r.waiting, m)
	if len(r.waiting) < 4 {
		time.AfterFunc(2*time.Millisecond, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.chooseLocked()
		})
		return
	}
	r.chooseLocked()
}

func (r *relay) chooseLocked() {
	rand.Shuffle(len(r.waiting), func(i, j int) { r.waiting[i], r.waiting[j] = r.waiting[j], r.waiting[i] })
	for len(r.waiting) > 1 {
		a, b := r.waiting[0], r.waiting[1]
		a.partner, b.partner = b, a
		r.waiting = r.waiting[2:]
	}
}

func (r *relay) leave(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, o := range r.members {
		if o == m {
			r.members = append(r.members[:i:i], r.members[i+1:]...)
			break
		}
	}
	for i, o := range r.waiting {
		if o == m {
			r.waiting = append(r.waiting[:i:i], r.waiting[i+1:]...)
			break
		}
	}
	if p := m.partner; p != nil {
		m.partner, p.partner = nil, nil
		r.pairLocked(p)
	}
}

// silent listens and never answers.
func silent(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "ws://" + l.Addr().String()
}
