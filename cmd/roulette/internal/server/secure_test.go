package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/servertest"
	"roulette/cmd/roulette/internal/tlsfront"
	"roulette/frame/tls13"
	"roulette/metrics"
	"roulette/netpoll"
)

// overTLS has start make servers whose clients come by TLS.
func overTLS(t testing.TB) bool { return strings.HasPrefix(t.Name(), "TestOverTLS/") }

// selfSigned is the certificate of these tests.
var selfSigned = sync.OnceValue(func() *tls.Certificate {
	cert, _, err := tlsfront.SelfSigned("chat.example.org")
	if err != nil {
		panic(err)
	}
	return &cert
})

// testTLS is what a server needs for TLS; config lacks a certificate, and tickets.
func testTLS(t *testing.T, config tlsfront.Config) *TLS {
	t.Helper()
	tickets, err := tlsfront.OpenTickets("", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	keeper := &tlsfront.Keeper{Self: selfSigned(), Tickets: tickets, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	config.Certificate, config.Tickets = keeper.Certificate, tickets
	return &TLS{Front: tlsfront.New(config), Certificates: keeper}
}

// trusting is a client that trusts selfSigned.
func trusting() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(selfSigned().Leaf)
	return &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS13}
}

// TestOverTLS plays the tests of the protocol and of its limits again, for clients
// that come by TLS: nothing is different for them.
func TestOverTLS(t *testing.T) {
	servertest.Parallel(t)
	for _, play := range []struct {
		name string
		test func(*testing.T)
	}{
		{"conformance of the handshake", TestConformanceOfHandshake},
		{"conformance of echo", TestConformanceOfEcho},
		{"conformance of a pair", TestConformanceOfPair},
		{"conformance of limits", TestConformanceOfLimits},
		{"conformance of the end", TestConformanceOfTheEnd},
		{"nothing behind a close", TestNothingBehindAClose},
		{"pages and chats", TestPagesAndChatsOnOneConnection},
		{"pipelined", TestPipelined},
		{"drain", TestDrainIsEven},
		{"half a frame, then gone", TestHalfAFrameThenGone},
		{"message rate", TestMessageRate},
		{"new terms while they talk", TestApplyWhileTheyTalk},
	} {
		t.Run(play.name, play.test)
	}
}

// TestTLSResults: package metrics has the same list as package tlsfront.
func TestTLSResults(t *testing.T) {
	for r := tlsfront.OK; r <= tlsfront.Failed; r++ {
		if label := metrics.TLSResult(r).String(); label != r.String() {
			t.Errorf("%s is counted as %s", r, label)
		}
	}
}

// firstRecord is a ClientHello that crypto/tls sends.
func firstRecord(t *testing.T, config *tls.Config) []byte {
	t.Helper()
	a, b := net.Pipe()
	defer b.Close()
	go func() { _ = tls.Client(a, config).Handshake(); a.Close() }()
	header := make([]byte, 5)
	if _, err := io.ReadFull(b, header); err != nil {
		t.Fatal(err)
	}
	hello := append(header, make([]byte, binary.BigEndian.Uint16(header[3:]))...)
	if _, err := io.ReadFull(b, hello[5:]); err != nil {
		t.Fatal(err)
	}
	return hello
}

// withExtension puts an empty extension in front of the others (RFC 8446, 4.1.2).
func withExtension(hello []byte, number uint16) []byte {
	at := 5 + 4 + 2 + 32                                 // behind the random
	at += 1 + int(hello[at])                             // session id
	at += 2 + int(binary.BigEndian.Uint16(hello[at:]))   // cipher suites
	at += 1 + int(hello[at])                             // compression methods
	size := int(binary.BigEndian.Uint16(hello[at:])) + 4 // of all extensions
	out := append(bytes.Clone(hello[:at]), byte(size>>8), byte(size), byte(number>>8), byte(number), 0, 0)
	out = append(out, hello[at+2:]...)
	binary.BigEndian.PutUint16(out[3:], uint16(len(out)-5))
	out[6], out[7], out[8] = 0, byte((len(out)-9)>>8), byte(len(out)-9)
	return out
}

// raw is a connection on which the test makes its own TLS.
func raw(t *testing.T, addr string, says []byte) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(servertest.Patience))
	if _, err := c.Write(says); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// alert is a fatal alert in the clear.
func alert(code byte) string { return string([]byte{21, 3, 3, 0, 2, 2, code}) }

// TestTLSMisuse: every mistake has its answer, in whatever pieces it comes, is counted
// as what it is, and then the connection ends in good order.
func TestTLSMisuse(t *testing.T) {
	good := firstRecord(t, &tls.Config{ServerName: "localhost"})
	long := bytes.Clone(good)
	long[6], long[7], long[8] = 0, 0x50, 0
	for _, c := range []struct {
		name   string
		says   []byte
		answer string // prefix
		result metrics.TLSResult
	}{
		{"HTTP in the clear", []byte(servertest.Request("x", "/ws")), "HTTP/1.1 400 Bad Request\r\n", metrics.TLSPlainHTTP},
		{"something else", []byte{0x80, 0x2e, 1, 0, 2}, alert(10), metrics.TLSNotTLS},
		{"SSL 2", []byte{22, 2, 0, 0, 1, 1}, alert(10), metrics.TLSNotTLS},
		{"a ServerHello", []byte{22, 3, 1, 0, 4, 2, 0, 0, 0}, alert(10), metrics.TLSNotTLS},
		{"an alert first", []byte{21, 3, 1, 0, 2, 2, 40}, alert(10), metrics.TLSNotTLS},
		{"a record that is too long", []byte{22, 3, 1, 0x40, 1}, alert(47), metrics.TLSTooLarge},
		{"an empty record", []byte{22, 3, 1, 0, 0}, alert(47), metrics.TLSTooLarge},
		{"a ClientHello that is too long", long, alert(47), metrics.TLSTooLarge},
		{"TLS 1.2", firstRecord(t, &tls.Config{ServerName: "localhost", MaxVersion: tls.VersionTLS12}), alert(70), metrics.TLSVersion},
		{"0-RTT", withExtension(good, 42), alert(110), metrics.TLSEarlyData},
		{"HTTP/2 only", firstRecord(t, &tls.Config{ServerName: "localhost", NextProtos: []string{"h2"}}), alert(120), metrics.TLSProtocol},
		{"a ClientHello cut short", append(append([]byte{22, 3, 1, 0, 6}, 1, 0, 0, 2), 3, 3), alert(50), metrics.TLSFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, addr := start(t, Config{TLS: testTLS(t, tlsfront.Config{}), Workers: 1})
			for _, size := range []int{len(c.says), 1} {
				before := total(t, s, func(k *metrics.Counters) uint64 { return k.TLSHandshakes[c.result] })
				conn := raw(t, addr, nil)
				for rest := c.says; len(rest) > 0; rest = rest[min(size, len(rest)):] {
					if _, err := conn.Write(rest[:min(size, len(rest))]); err != nil {
						break // it has been refused by its first bytes
					}
				}
				_ = conn.CloseWrite()
				got, err := io.ReadAll(conn)
				if len(got) > 2 && got[0] == 21 {
					got[2] = 3 // the version in a record's head says nothing
				}
				if err != nil || !strings.HasPrefix(string(got), c.answer) {
					t.Errorf("pieces of %d: answered %q, %v; want %q", size, got, err, c.answer)
				}
				after := total(t, s, func(k *metrics.Counters) uint64 { return k.TLSHandshakes[c.result] })
				if after != before+1 {
					t.Errorf("pieces of %d: counted %d times", size, after-before)
				}
			}
			awaitNobody(t, s)
			alive(t, addr)
		})
	}
}

// tls makes handshakes of every result.
func (a *audit) tls(t *testing.T) {
	t.Run("misuse", func(t *testing.T) {
		good := firstRecord(t, &tls.Config{ServerName: "localhost"})
		s, addr := start(t, Config{TLS: testTLS(t, tlsfront.Config{}), Workers: 1})
		for _, says := range [][]byte{
			[]byte("GET / HTTP/1.1\r\n\r\n"), {1}, {22, 3, 1, 0x40, 1}, withExtension(good, 42),
			firstRecord(t, &tls.Config{ServerName: "localhost", MaxVersion: tls.VersionTLS12}),
			firstRecord(t, &tls.Config{ServerName: "localhost", NextProtos: []string{"h2"}}),
			append(bytes.Clone(good), 22, 3, 3, 0, 1, 1),
		} {
			c := raw(t, addr, says)
			_ = c.CloseWrite()
			if _, err := io.ReadAll(c); err != nil {
				t.Error(err)
			}
		}
		distrusts := trusting()
		distrusts.RootCAs = x509.NewCertPool()
		if err := connect(t, addr).Secure(distrusts); err == nil {
			t.Error("a certificate of nobody's was trusted")
		}
		raw(t, addr, good).Close()
		a.awaits(t, s, "tls_handshakes_total{result=plain_http}", "tls_handshakes_total{result=not_tls}",
			"tls_handshakes_total{result=too_large}", "tls_handshakes_total{result=early_data}", "tls_handshakes_total{result=version}",
			"tls_handshakes_total{result=protocol}", "tls_handshakes_total{result=failed}", "tls_handshakes_total{result=refused}",
			"tls_handshakes_total{result=gone}", "tls_certificate_not_after_timestamp_seconds{}")
	})
	t.Run("tickets", func(t *testing.T) {
		s, addr := start(t, Config{TLS: testTLS(t, tlsfront.Config{Challenges: true}), Workers: 1})
		config := trusting()
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		servertest.Secured(t, addr, config)
		for range 2 {
			alive(t, addr)
		}
		challenge := trusting()
		challenge.NextProtos = []string{"acme-tls/1"}
		c := connect(t, addr)
		if err := c.Secure(challenge); err != nil {
			t.Fatal(err)
		}
		if err := c.ReadEnd(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
		a.awaits(t, s, "tls_handshakes_total{result=ok}", "tls_handshakes_total{result=resumed}", "tls_handshakes_total{result=challenge}",
			"tls_handshake_duration_seconds{}", "tls_keys_found_total{}", "tls_keys_made_total{}")
	})
	t.Run("bounds", func(t *testing.T) {
		secure := testTLS(t, tlsfront.Config{Most: 1})
		s, addr := start(t, Config{TLS: secure, Workers: 1, Settings: Settings{HandshakeTimeout: 500 * time.Millisecond}})
		good := firstRecord(t, &tls.Config{ServerName: "localhost"})
		slow := raw(t, addr, good)
		a.awaits(t, s, "tls_handshakes_open{}")
		if answer, err := io.ReadAll(raw(t, addr, good)); err != nil || string(answer) != alert(80) {
			t.Errorf("one too many is answered %q, %v", answer, err)
		}
		if _, err := io.ReadAll(slow); err != nil { // its time is over
			t.Error(err)
		}
		a.awaits(t, s, "tls_handshakes_total{result=busy}", "tls_handshakes_total{result=timeout}")
	})
	t.Run("names", func(t *testing.T) {
		k := &tlsfront.Keeper{Logger: slog.New(slog.DiscardHandler)}
		secure := &TLS{Front: tlsfront.New(tlsfront.Config{Certificate: k.Certificate}), Certificates: loaded{}}
		s, addr := start(t, Config{TLS: secure, Workers: 1})
		if answer, err := io.ReadAll(raw(t, addr, firstRecord(t, trusting()))); err != nil || len(answer) != 7 {
			t.Errorf("answered %q, %v", answer, err)
		}
		a.awaits(t, s, "tls_handshakes_total{result=name}", "tls_certificate_loads_total{result=ok}", "tls_certificate_loads_total{result=failed}")
	})
}

// loaded are certificates that were read well once, and then not.
type loaded struct{}

func (loaded) NotAfter() time.Time        { return time.Time{} }
func (loaded) Loads() (ok, failed uint64) { return 1, 1 }

// connect opens a connection and says nothing.
func connect(t *testing.T, addr string) *servertest.Conn {
	t.Helper()
	return servertest.Over(t, raw(t, addr, nil))
}

// TestTLSStatus: an operator sees when the certificate expires.
func TestTLSStatus(t *testing.T) {
	s, addr := start(t, Config{TLS: testTLS(t, tlsfront.Config{})})
	alive(t, addr)
	want := selfSigned().Leaf.NotAfter.UTC().Format(time.DateTime) + " UTC"
	for _, line := range s.report().Settings {
		if line.Name == "TLS: the first certificate expires" && line.Value == want {
			return
		}
	}
	t.Errorf("nothing says %s: %v", want, s.report().Settings)
}

// TestCodecsLieTogether: the codec of a chat is in its connection's place, and leaves no
// secret there.
func TestCodecsLieTogether(t *testing.T) {
	s, addr := start(t, Config{TLS: testTLS(t, tlsfront.Config{})})
	c := servertest.Dial(t, addr, "/echo")
	c.Write(text("one"))
	c.Expect(textOp, "one")
	var at *codec
	var owner *netpoll.Worker
	held := make(chan bool)
	look := func(w *netpoll.Worker) {
		w.Each(func(c *netpoll.Conn) {
			owner = w
			beside, place := besideOf(c)
			if at = &beside.codecs.Load()[place]; c.Codec() != netpoll.Codec(at) {
				t.Errorf("the codec is %p, not %p", c.Codec(), at)
			}
		})
	}
	if err := s.poller.OnWorkers(t.Context(), look); err != nil {
		t.Fatal(err)
	}
	c.Write(text("two"))
	c.Expect(textOp, "two")
	if at == nil {
		t.Fatal("no codec")
	}
	secrets := func(want bool) {
		t.Helper()
		if err := owner.Ask(func() { held <- at.session != (tls13.Session{}) }); err != nil {
			t.Fatal(err)
		}
		if <-held != want {
			t.Errorf("it holds secrets: %v, want %v", !want, want)
		}
	}
	secrets(true)
	c.Leave()
	awaitNobody(t, s)
	secrets(false)
}

// TestBackpressureOverTLS: who sends more than its partner takes is paused, records and
// all, and nothing is lost; a partner that takes nothing is ended.
func TestBackpressureOverTLS(t *testing.T) {
	const messages = 600 // some 18 MB
	message := func(i int) []byte { return servertest.Encode(fin|binaryOp, payload(i)) }
	for _, workers := range []int{1, 2} {
		k := newStoppedClock()
		s, addr := start(t, Config{Kernel: k, Workers: workers, TLS: testTLS(t, tlsfront.Config{})})
		a, b := couple(t, s, addr)
		var writing sync.WaitGroup
		writing.Go(func() {
			for i := range messages {
				a.Write(message(i))
			}
		})
		paused := func() bool {
			before := bytesSent(t, s)
			k.advance(t, s, 0)
			return flowOf(t, s).paused == 1 && bytesSent(t, s) == before
		}
		servertest.Await(t, "the sender to be paused", paused)
		if f := flowOf(t, s); f.waiting != 1 || f.most > mostPending+mostPending/100 {
			t.Errorf("the sender is paused: %+v", f)
		}
		check(t, b, 0, messages)
		writing.Wait()
		servertest.Await(t, "nobody is paused", func() bool { return flowOf(t, s) == flow{} })
		b.Write(text("thanks"))
		a.Expect(textOp, "thanks")

		writing.Go(func() {
			for i := range messages {
				a.Write(message(i))
			}
		})
		servertest.Await(t, "the sender to be paused again", paused)
		k.stall(t, s, "the receiver to be ended", func() bool { return s.pairs.Pairs() == 0 })
		b.TCP.Close()
		a.TCP.Close()
		writing.Wait()
		awaitNobody(t, s)
	}
}
