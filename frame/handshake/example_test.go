package handshake_test

import (
	"fmt"
	"strings"

	"roulette/frame/handshake"
)

// What a worker does with the bytes of a new connection, which here arrive in
// two reads and bring the first frame with them.
func ExampleUpgrader() {
	u, err := handshake.New(handshake.Config{
		Endpoints: []handshake.Endpoint{
			{Path: "/ws", Subprotocols: []string{"roulette.v1"}},
			{Path: "/echo"},
		},
	})
	if err != nil {
		panic(err)
	}

	reads := []string{
		"GET /ws HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: websocket\r\nConnec",
		"tion: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
			"\x81\x82\x00\x00\x00\x00hi",
	}
	var got []byte
	for _, read := range reads {
		seen := len(got)
		got = append(got, read...)
		n, err := handshake.HeadEnd(got, seen)
		if err != nil {
			fmt.Printf("%s", handshake.AppendRefusal(nil, 400, "not HTTP", 0))
			return
		}
		if n == 0 {
			continue // until the deadline
		}
		resp, req, res := u.Upgrade(nil, got[:n])
		fmt.Println(res, req.Endpoint)
		fmt.Print(strings.ReplaceAll(string(resp), "\r\n", "\n"))
		fmt.Printf("first frames: %q\n", got[n:])
	}
	// Output:
	// 101 Switching Protocols 0
	// HTTP/1.1 101 Switching Protocols
	// Upgrade: websocket
	// Connection: Upgrade
	// Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
	//
	// first frames: "\x81\x82\x00\x00\x00\x00hi"
}
