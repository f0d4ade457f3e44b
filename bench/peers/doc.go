// Package peers holds the same random-pair relay on other foundations, to measure
// the server beside them. It is a module of its own so that none of them is a
// dependency of the server.
//
//	epoll    raw epoll in C, nothing but read, unmask, write: the lower bound
//	uring    the same on io_uring, to see what that would give; without backpressure
//	gorilla  github.com/gorilla/websocket, a goroutine for each connection
//	coder    github.com/coder/websocket, the same
//	gws      github.com/lxzan/gws, the same with callbacks
//	nginx    the server itself behind nginx, which speaks TLS (compare --wss)
//	node     github.com/websockets/ws, in JavaScript, for compare --extra
//	article  github.com/gobwas/ws and github.com/mailru/easygo, as the article
//	         "A million WebSockets and Go" puts them together
//
// Each takes --listen ADDRESS:PORT, prints "listening on http://ADDRESS:PORT" (those
// that stand on net/http also take --tls, and say https), pairs the clients of /ws in the order of their arrival and sends those of /echo
// their own messages. Each is written the way its library's own examples are.
//
// cmd/compare builds and measures all of them and prints the table:
//
//	cd bench/peers && go run ./cmd/compare
//
// The libraries serve once more in differential, which compares what they accept
// with what package frame does.
package peers

import _ "embed"

// Epoll is the source of the lower bound, for cc -O2.
//
//go:embed epoll/epoll.c
var Epoll []byte

// Uring is the source of that on io_uring, which includes epoll.c; it needs liburing.
//
//go:embed uring/uring.c
var Uring []byte
