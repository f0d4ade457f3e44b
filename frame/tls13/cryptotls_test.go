package tls13

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// oneRecord is a connection from which crypto/tls reads one record at a time, so
// that it holds nothing when the handshake is over.
type oneRecord struct {
	net.Conn
	rest []byte
}

func (c *oneRecord) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		header := make([]byte, HeaderSize)
		if _, err := io.ReadFull(c.Conn, header); err != nil {
			return 0, err
		}
		c.rest = append(header, make([]byte, int(header[3])<<8|int(header[4]))...)
		if _, err := io.ReadFull(c.Conn, c.rest[HeaderSize:]); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// keyLog takes the secrets from what crypto/tls writes for debuggers.
type keyLog map[string][]byte

func (l keyLog) Write(line []byte) (int, error) {
	f := strings.Fields(string(line))
	var err error
	l[f[0]], err = hex.DecodeString(f[2])
	return len(line), err
}

// self is a certificate for tests.
var self = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// shake makes a connection of which crypto/tls has one end to the last, and a
// Session takes the other after the handshake.
func shake(t *testing.T, client bool) (ours *Session, raw net.Conn, theirs *tls.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	log := make(keyLog)
	servers := &tls.Config{Certificates: []tls.Certificate{self()}, MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true}
	clients := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	var mine *tls.Conn
	if client {
		clients.KeyLogWriter = log
		mine, theirs = tls.Client(&oneRecord{Conn: far}, clients), tls.Server(near, servers)
	} else {
		servers.KeyLogWriter = log
		mine, theirs = tls.Server(&oneRecord{Conn: far}, servers), tls.Client(near, clients)
	}
	done := make(chan error, 1)
	go func() { done <- theirs.Handshake() }()
	if err := errors.Join(mine.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	secrets := Secrets{
		Suite: mine.ConnectionState().CipherSuite, Client: client,
		Receive: log["CLIENT_TRAFFIC_SECRET_0"], Send: log["SERVER_TRAFFIC_SECRET_0"],
	}
	if client {
		secrets.Receive, secrets.Send = secrets.Send, secrets.Receive
	}
	if ours, err = New(secrets); err != nil {
		t.Fatal(err)
	}
	return ours, far, theirs
}

// TestCryptoTLS talks with crypto/tls in either role: whatever it says, in pieces
// of any size, comes back the same, while keys change.
func TestCryptoTLS(t *testing.T) {
	for name, client := range map[string]bool{"as server": false, "as client": true} {
		t.Run(name, func(t *testing.T) {
			session, raw, theirs := shake(t, client)
			rnd := mathrand.New(mathrand.NewPCG(3, 4))
			said := make([]byte, 2<<20)
			for i := range said {
				said[i] = byte(rnd.Uint32())
			}
			go func() {
				for rest := said; len(rest) > 0; {
					n := min(len(rest), 1+rnd.IntN(40_000))
					if _, err := theirs.Write(rest[:n]); err != nil {
						return // the reader tells
					}
					rest = rest[n:]
				}
			}()
			echoed := make(chan error, 1)
			go func() { echoed <- echo(session, raw) }()
			heard := make([]byte, len(said))
			if _, err := io.ReadFull(theirs, heard); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(heard, said) {
				t.Error("other bytes came back")
			}
			if err := theirs.CloseWrite(); err != nil {
				t.Error(err)
			}
			if n, err := theirs.Read(heard); n != 0 || err != io.EOF {
				t.Errorf("after close_notify: %d bytes, %v", n, err)
			}
			if err := <-echoed; err != nil {
				t.Errorf("echo: %v", err)
			}
		})
	}
}

// echo sends what it receives, and now and then changes its keys or asks for
// others, until a close_notify, which it answers.
func echo(s *Session, raw net.Conn) error {
	k, buf, held := NewKeys(8), make([]byte, 50_000), 0
	asked, updated := 0, 0
	for turn := 0; ; turn++ {
		n, err := raw.Read(buf[held:])
		if err != nil {
			return err
		}
		before := s.in.sequence
		o := openAll(s, k, buf[:held+n])
		if s.in.sequence < before {
			updated++
		}
		var out []byte
		if turn%7 == 3 && len(o.data) > 0 { // crypto/tls loses the keys when it has closed
			s.owed, o.owes = ask, true
			asked++
		}
		if o.owes {
			out = s.AppendOwed(k, out)
		}
		out = s.AppendData(k, out, o.data)
		held = copy(buf, buf[o.used:held+n])
		switch {
		case o.err == io.EOF:
			if asked > 2 && updated == 0 {
				return errors.New("the peer never changed its keys")
			}
			_, err := raw.Write(s.AppendAlert(k, out, CloseNotify))
			return err
		case o.err != nil:
			return o.err
		}
		if _, err := raw.Write(out); err != nil {
			return err
		}
	}
}

// TestCryptoTLSRefuses: crypto/tls finds our alerts to be what they are, and ours
// finds its.
func TestCryptoTLSRefuses(t *testing.T) {
	session, raw, theirs := shake(t, false)
	k := NewKeys(8)
	if _, err := raw.Write(session.AppendAlert(k, nil, BadRecordMAC)); err != nil {
		t.Fatal(err)
	}
	var alert tls.AlertError
	if _, err := theirs.Read(make([]byte, 1)); !errors.As(err, &alert) && !strings.Contains(err.Error(), "bad record MAC") {
		t.Errorf("crypto/tls read %v", err)
	}

	session, raw, theirs = shake(t, false)
	forged := session.AppendData(k, nil, []byte("x"))
	forged[len(forged)-1] ^= 1
	if _, err := raw.Write(forged); err != nil {
		t.Fatal(err)
	}
	if _, err := theirs.Read(make([]byte, 1)); err == nil {
		t.Error("crypto/tls took a forged record")
	}
	b := make([]byte, 1000)
	n, err := raw.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	var e *Error
	if o := openAll(session, k, b[:n]); !errors.As(o.err, &e) || e.Alert != BadRecordMAC || !e.Remote {
		t.Errorf("its alert: %+v", o)
	}
}
