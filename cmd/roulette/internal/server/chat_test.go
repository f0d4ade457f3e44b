package server

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func dial(t *testing.T, addr, path string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(testContext(t), "ws://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(-1)
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func write(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.Write(testContext(t), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, c *websocket.Conn) string {
	t.Helper()
	_, b, err := c.Read(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTwoStrangersTalk(t *testing.T) {
	_, addr := start(t, Config{})
	a := dial(t, addr, "/ws")
	write(t, a, "anybody?")
	if got := read(t, a); got != sorryText {
		t.Fatalf("alone, got %q", got)
	}
	b := dial(t, addr, "/ws")
	write(t, b, "hello")
	if got := read(t, a); got != "hello" {
		t.Fatalf("got %q", got)
	}
	long := strings.Repeat("ä", 20_000)
	write(t, a, long)
	if got := read(t, b); got != long {
		t.Fatalf("got %d bytes", len(got))
	}
	b.Close(websocket.StatusNormalClosure, "bye")
	c := dial(t, addr, "/ws")
	write(t, c, "and I am new")
	if got := read(t, a); got != "and I am new" {
		t.Fatalf("the survivor got %q", got)
	}
}

func TestEcho(t *testing.T) {
	_, addr := start(t, Config{})
	c := dial(t, addr, "/echo")
	for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
		write(t, c, strings.Repeat("x", n))
		if got := read(t, c); len(got) != n {
			t.Errorf("sent %d bytes, got %d", n, len(got))
		}
	}
}
