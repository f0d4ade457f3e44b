// Package serve is what the peers' main functions share: the flag, the listener
// and the line that says where it is.
package serve

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"syscall"
)

// Listen parses the flags, opens the listener and prints its address.
func Listen() net.Listener {
	address := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err == nil {
		lim.Cur = lim.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim) // then there is room for fewer
	}
	l, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", l.Addr())
	return l
}

// HTTP serves /ws and /echo by handle, which learns whether it is the echo.
func HTTP(handle func(w http.ResponseWriter, r *http.Request, echo bool)) {
	l := Listen()
	http.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) { handle(w, r, false) })
	http.HandleFunc("GET /echo", func(w http.ResponseWriter, r *http.Request) { handle(w, r, true) })
	log.Fatal(http.Serve(l, nil))
}
