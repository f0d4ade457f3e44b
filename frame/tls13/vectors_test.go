package tls13

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"io"
	"strings"
	"testing"
)

// The traffic secrets, keys and records of RFC 8448, section 3.
const (
	clientSecret = `9e 40 64 6c e7 9a 7f 9d c0 5a f8 88 9b ce 65 52 87 5a fa 0b 06 df 00 87 f7 92 eb b7 c1 75 04 a5`
	clientKey    = `17 42 2d da 59 6e d5 d9 ac d8 90 e3 c6 3f 50 51`
	clientMask   = `5b 78 92 3d ee 08 57 90 33 e5 23 d9`
	clientData   = `17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f
		2b 98 19 a8 a5 b4 6b 39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee bb 21 69 49 15 e4`
	clientAlert = `17 03 03 00 13 c9 87 27 60 65 56 66 b7 4d 7f f1 15 3e fd 6d b6 d0 b0 e3`

	serverSecret = `a1 1a f9 f0 55 31 f8 56 ad 47 11 6b 45 a9 50 32 82 04 b4 f4 4b fb 6b 3a 4b 4f 1f 3f cb 63 16 43`
	serverKey    = `9f 02 28 3b 6c 9c 07 ef c2 6b b9 f2 ac 92 e3 56`
	serverMask   = `cf 78 2b 88 dd 83 54 9a ad f1 e9 84`
	serverData   = `17 03 03 00 43 2e 93 7e 11 ef 4a c7 40 e5 38 ad 36 00 5f c4 a4 69 32 fc 32 25 d0 5f 82 aa 1b 36
		e3 0e fa f9 7d 90 e6 df fc 60 2d cb 50 1a 59 a8 fc c4 9c 4b f2 e5 f0 a2 1c 00 47 c2 ab f3 32 54 0d d0 32 e1 67 c2 95 5d`
	serverAlert = `17 03 03 00 13 b5 8f d6 71 66 eb f5 99 d2 47 20 cf be 7e fa 7a 88 64 a9`
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRFC8448: the server's first record was a session ticket, so that its data is
// its second.
func TestRFC8448(t *testing.T) {
	client, err := New(Secrets{
		Suite: tls.TLS_AES_128_GCM_SHA256, Client: true,
		Receive: unhex(t, serverSecret), ReceiveNumber: 1, Send: unhex(t, clientSecret),
	})
	if err != nil {
		t.Fatal(err)
	}
	server, err := New(Secrets{
		Suite:   tls.TLS_AES_128_GCM_SHA256,
		Receive: unhex(t, clientSecret), Send: unhex(t, serverSecret), SendNext: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, 50)
	for i := range payload {
		payload[i] = byte(i)
	}
	for _, side := range []struct {
		name        string
		from, to    *Session
		key, mask   string
		data, alert string
	}{
		{"client", client, server, clientKey, clientMask, clientData, clientAlert},
		{"server", server, client, serverKey, serverMask, serverData, serverAlert},
	} {
		secret := side.from.appendSecret(nil, &side.from.out)
		k := NewKeys(8)
		x := k.expander(side.from.suite())
		key, mask := x.expand(make([]byte, 16), secret, "key"), x.expand(make([]byte, nonceSize), secret, "iv")
		if !bytes.Equal(key, unhex(t, side.key)) || !bytes.Equal(mask, unhex(t, side.mask)) {
			t.Errorf("%s: key %x, mask %x", side.name, key, mask)
		}
		got := side.from.AppendData(k, nil, payload)
		if !bytes.Equal(got, unhex(t, side.data)) {
			t.Errorf("%s: data sealed as % x", side.name, got)
		}
		if o := openAll(side.to, k, got); o.err != nil || !bytes.Equal(o.data, payload) || o.used != 72 {
			t.Errorf("%s: data opened as %+v", side.name, o)
		}
		got = side.from.AppendAlert(k, nil, CloseNotify)
		if !bytes.Equal(got, unhex(t, side.alert)) {
			t.Errorf("%s: alert sealed as % x", side.name, got)
		}
		if o := openAll(side.to, k, got); o.err != io.EOF || o.data != nil {
			t.Errorf("%s: alert opened as %+v", side.name, o)
		}
	}
}
