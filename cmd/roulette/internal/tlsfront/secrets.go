package tlsfront

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"sync"

	"roulette/frame/tls13"
)

// secrets takes the traffic secrets of one connection from the lines that crypto/tls
// writes for a debugger (the SSLKEYLOGFILE format).
type secrets struct {
	client, server [48]byte
	size           int
}

var (
	labelClient = []byte("CLIENT_TRAFFIC_SECRET_0")
	labelServer = []byte("SERVER_TRAFFIC_SECRET_0")
)

// Write takes a line. The line was made for this call alone, so it is zeroed,
// whatever io.Writer says of others' bytes.
func (s *secrets) Write(line []byte) (int, error) {
	defer clear(line)
	label, rest, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
	_, secret, _ := bytes.Cut(rest, []byte(" ")) // behind the client's random
	var to *[48]byte
	switch {
	case bytes.Equal(label, labelClient):
		to = &s.client
	case bytes.Equal(label, labelServer):
		to = &s.server
	default:
		return len(line), nil
	}
	if hex.DecodedLen(len(secret)) > len(to) {
		return 0, errSecrets
	}
	n, err := hex.Decode(to[:], secret)
	if err != nil {
		return 0, errSecrets // hex's own error would quote
	}
	s.size = n
	return len(line), nil
}

func (s *secrets) wipe() { *s = secrets{} }

var errSecrets = errors.New("tlsfront: crypto/tls did not tell its secrets")

// mostTickets is more than crypto/tls will ever send behind a handshake.
const mostTickets = 8

// trials are for trying out a record, which is done in each handshake.
var trials = sync.Pool{New: func() any { return tls13.NewKeys(1) }}

// session makes the record layer. last is what the server has written last: if it
// opens under the new secret, so many records have been sealed under it.
func (s *secrets) session(suite uint16, last []byte) (*tls13.Session, error) {
	if s.size == 0 {
		return nil, errSecrets
	}
	sent := uint32(0)
	if record := lastRecord(last); record != nil {
		k := trials.Get().(*tls13.Keys)
		defer trials.Put(k)
		defer k.Forget()
		for n := range uint32(mostTickets) {
			client, err := tls13.New(tls13.Secrets{
				Suite: suite, Client: true,
				Receive: s.server[:s.size], ReceiveNumber: n, Send: s.client[:s.size],
			})
			if err != nil {
				return nil, err
			}
			if _, size, _, err := client.Open(k, bytes.Clone(record)); err == nil && size > 0 {
				sent = n + 1
			}
			client.Wipe()
			if sent > 0 {
				break
			}
		}
	}
	return tls13.New(tls13.Secrets{
		Suite:   suite,
		Receive: s.client[:s.size], Send: s.server[:s.size], SendNext: sent,
	})
}

// lastRecord is the last of whole records; nil if they are none.
func lastRecord(b []byte) (last []byte) {
	for len(b) > 0 {
		if len(b) < recordHeader {
			return nil
		}
		n := recordHeader + int(binary.BigEndian.Uint16(b[3:]))
		if n > len(b) {
			return nil
		}
		last, b = b[:n], b[n:]
	}
	return last
}
