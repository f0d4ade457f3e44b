package handshake

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gobwas/ws"
	gorilla "github.com/gorilla/websocket"

	"roulette/frame"
)

// serve answers one connection as a server does: the handshake, and one text.
func serve(t *testing.T, u *Upgrader) (host string, served <-chan Request) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan Request, 1)
	go func() {
		defer close(done)
		defer l.Close()
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		b := make([]byte, 8<<10)
		for have := 0; ; {
			n, err := c.Read(b[have:])
			if err != nil {
				t.Error(err)
				return
			}
			end, err := HeadEnd(b[:have+n], have)
			if err != nil {
				t.Error(err)
				return
			}
			if have += n; end == 0 {
				continue
			}
			resp, req, res := u.Upgrade(nil, b[:end])
			if res == OK {
				resp = frame.AppendMessage(resp, ws.OpText, []byte("welcome"))
			}
			c.Write(resp)
			done <- req
			return
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String(), done
}

// The Go libraries that people use to talk to a server like this.
func TestLibraries(t *testing.T) {
	u := newUpgrader(t)
	protocols := []string{"other", "roulette.v1"}
	tests := []struct {
		desc string
		dial func(ctx context.Context, url, origin string) (text, protocol string, status int, err error)
	}{
		{"coder", func(ctx context.Context, url, origin string) (string, string, int, error) {
			c, resp, err := coder.Dial(ctx, url, &coder.DialOptions{
				Subprotocols:    protocols,
				HTTPHeader:      http.Header{"Origin": {origin}},
				CompressionMode: coder.CompressionContextTakeover,
			})
			if err != nil {
				return "", "", statusOf(resp), err
			}
			defer c.CloseNow()
			_, text, err := c.Read(ctx)
			return string(text), c.Subprotocol(), 101, err
		}},
		{"gorilla", func(ctx context.Context, url, origin string) (string, string, int, error) {
			d := gorilla.Dialer{Subprotocols: protocols, EnableCompression: true}
			c, resp, err := d.DialContext(ctx, url, http.Header{"Origin": {origin}})
			if err != nil {
				return "", "", statusOf(resp), err
			}
			defer c.Close()
			_, text, err := c.ReadMessage()
			return string(text), c.Subprotocol(), 101, err
		}},
		{"gobwas", func(ctx context.Context, url, origin string) (string, string, int, error) {
			d := ws.Dialer{Protocols: protocols, Header: ws.HandshakeHeaderHTTP{"Origin": {origin}}}
			c, r, hs, err := d.Dial(ctx, url)
			if err != nil {
				var status ws.StatusError
				errors.As(err, &status)
				return "", "", int(status), err
			}
			defer c.Close()
			in := io.Reader(c)
			if r != nil {
				in = r // the text came with the response
			}
			text := make([]byte, len("\x81\x07welcome"))
			_, err = io.ReadFull(in, text)
			return string(text[2:]), hs.Protocol, 101, err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			host, served := serve(t, u)
			text, protocol, _, err := tt.dial(ctx, "ws://"+host+"/echo?x=1", "http://"+host)
			if err != nil || text != "welcome" || protocol != "roulette.v1" {
				t.Errorf("got %q, subprotocol %q, %v", text, protocol, err)
			}
			if req := <-served; req.Endpoint != 1 || req.Subprotocol != "roulette.v1" {
				t.Errorf("request %+v", req)
			}

			host, _ = serve(t, u)
			_, _, status, err := tt.dial(ctx, "ws://"+host+"/ws", "http://"+strings.ToUpper("evil.example"))
			if err == nil || status != http.StatusForbidden {
				t.Errorf("foreign origin: status %d, %v", status, err)
			}
		})
	}
}

func statusOf(r *http.Response) int {
	if r == nil {
		return 0
	}
	return r.StatusCode
}
