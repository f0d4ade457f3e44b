package mesh

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"roulette/netpoll/nettest"
)

// natsServer starts Debian's nats-server on addr.
func natsServer(t *testing.T, addr string) *exec.Cmd {
	t.Helper()
	program, err := exec.LookPath("nats-server")
	if err != nil {
		t.Skip("needs nats-server")
	}
	host, port, _ := net.SplitHostPort(addr)
	c := exec.Command(program, "-a", host, "-p", port)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(c) })
	nettest.Await(t, "the bus", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return c
}

// stop kills c, which may be stopped by a signal, if it is there still.
func stop(c *exec.Cmd) {
	if c.ProcessState == nil {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// lonelyHost has one person, who waits whenever they have nobody.
type lonelyHost struct {
	mesh *Mesh

	mu     sync.Mutex
	chat   Chat
	told   bool
	heard  [][]byte
	ended  int
	resume int
}

func (h *lonelyHost) Online() (int, bool) { return 1, false }

func (h *lonelyHost) Waiting(int) []Waiter {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.chat != 0 {
		return nil
	}
	return []Waiter{{Ticket: 1}}
}

func (h *lonelyHost) Reserve(c Chat, _ *Stranger) (Stranger, bool) {
	return Stranger{}, h.Claim(c, 1, nil)
}

func (h *lonelyHost) Claim(c Chat, _ uint64, _ *Stranger) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.chat != 0 {
		return false
	}
	h.chat = c
	return true
}

func (h *lonelyHost) Begin(Chat, Name) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = true
	return true
}

func (h *lonelyHost) End(Chat, Reason) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.chat, h.told, h.heard = 0, false, nil
	h.ended++
}

func (h *lonelyHost) Deliver(c Chat, frames []byte, _, _ int) {
	h.mu.Lock()
	h.heard = append(h.heard, bytes.Clone(frames))
	h.mu.Unlock()
	h.mesh.Taken(c, len(frames))
}

func (h *lonelyHost) Note(Chat, Note) {}

func (h *lonelyHost) Met(Node, Meeting)        {}
func (h *lonelyHost) Join(Chat, Node, Meeting) {}
func (h *lonelyHost) Joined(Chat)              {}

func (h *lonelyHost) Resume(Chat) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.resume++
}

func (h *lonelyHost) talking() (Chat, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.chat, h.told
}

func (h *lonelyHost) heardSoFar() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.heard)
}

// onBus starts a node with one person.
func onBus(t *testing.T, addr string, self Node) *lonelyHost {
	t.Helper()
	h := new(lonelyHost)
	bus := NewNATS(slog.New(slog.DiscardHandler))
	m, err := New(Config{Self: self, World: "test", Bus: bus, Host: h})
	if err != nil {
		t.Fatal(err)
	}
	h.mesh = m
	if err := bus.Start(NATSConfig{URLs: "nats://" + addr, Name: fmt.Sprint(self)}, m); err != nil {
		t.Fatal(err)
	}
	begun, done, quit := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(25 * time.Millisecond); ; {
			select {
			case <-tick.C:
				m.Tick(time.Since(begun).Milliseconds() + 1000)
			case <-quit:
				tick.Stop()
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(quit)
		<-done
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = bus.Close(ctx)
	})
	return h
}

// TestOnNATS: two lonely people on two nodes meet and talk over a real bus; its
// death ends their chat, by kill or by stop, and they meet again when it is back.
func TestOnNATS(t *testing.T) {
	nettest.CheckLeaks(t)
	addr := freeAddress(t)
	server := natsServer(t, addr)
	a, b := onBus(t, addr, 5), onBus(t, addr, 6)
	meet := func() {
		t.Helper()
		nettest.Await(t, "both to be told", func() bool {
			_, atA := a.talking()
			_, atB := b.talking()
			return atA && atB
		})
	}
	meet()
	chat, _ := a.talking()
	frame := append([]byte{0x82, 126, 0x40, 0}, make([]byte, 16<<10)...)
	const messages = 200 // many times the credit
	for sent := 0; sent < messages; {
		if pause, gone := a.mesh.Send(chat, frame, 0, 1); gone {
			t.Fatal("the chat is over")
		} else if sent++; pause {
			before := sent
			nettest.Await(t, "credit", func() bool {
				a.mu.Lock()
				defer a.mu.Unlock()
				return a.resume > 0
			})
			a.mu.Lock()
			a.resume = 0
			a.mu.Unlock()
			if sent != before {
				t.Fatal("sent while paused")
			}
		}
	}
	nettest.Await(t, "all messages", func() bool { return b.heardSoFar() == messages })
	if s := a.mesh.Stats(); s.Stalls == 0 || s.Losses != 0 {
		t.Errorf("%+v", s)
	}

	for _, death := range []os.Signal{os.Kill, syscall.SIGSTOP} {
		if err := server.Process.Signal(death); err != nil {
			t.Fatal(err)
		}
		nettest.Await(t, "both to be left", func() bool {
			_, atA := a.talking()
			_, atB := b.talking()
			return !atA && !atB
		})
		stop(server)
		server = natsServer(t, addr)
		meet()
	}
}

func TestNATSConfigRefused(t *testing.T) {
	m, err := New(Config{Self: 1, World: "test", Host: new(lonelyHost)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		config NATSConfig
	}{
		{"no URL that can be", NATSConfig{URLs: "nats://:::"}},
		{"none", NATSConfig{}},
		{"another scheme", NATSConfig{URLs: "http://127.0.0.1:4222"}},
		{"no scheme", NATSConfig{URLs: "127.0.0.1:4222"}},
		{"a path", NATSConfig{URLs: "nats://127.0.0.1:4222/x"}},
		{"the second is wrong", NATSConfig{URLs: "nats://127.0.0.1:4222,nats://"}},
		{"a certificate without a key", NATSConfig{URLs: "nats://127.0.0.1:1", Certificate: "x"}},
		{"authorities that are not there", NATSConfig{URLs: "nats://127.0.0.1:1", CA: "/nowhere"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := NewNATS(slog.New(slog.DiscardHandler)).Start(c.config, m); err == nil {
				t.Error("no error")
			}
		})
	}
	for _, world := range []string{"", "a.b", "a b", ">", "wörld"} {
		if _, err := New(Config{World: world}); err == nil {
			t.Errorf("a world named %q", world)
		}
	}
}
