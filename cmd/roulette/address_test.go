package main

import (
	"net"
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/server"
)

// TestAddressesOfOnePort: of every two addresses with the same port, check-config
// takes them if, and only if, a server can listen on both.
func TestAddressesOfOnePort(t *testing.T) {
	hosts := []string{"", "0.0.0.0", "[::]", "127.0.0.1", "127.0.0.2", "[::ffff:127.0.0.1]", "[::1]"}
	if l, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		hosts = []string{"0.0.0.0", "127.0.0.1", "127.0.0.2"}
	} else {
		l.Close()
	}
	port := program.FreePort(t)
	for _, first := range hosts {
		for _, second := range hosts {
			s, err := server.New(server.Config{})
			if err != nil {
				t.Fatal(err)
			}
			both := true
			for i, host := range []string{first, second} {
				addr, err := parseAddress(host + ":" + port)
				if err != nil {
					t.Fatal(err)
				}
				_, err = s.Listen(addr)
				if both = err == nil; i == 0 && !both {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			_, errs, code := said(t, nil, "check-config", "--admin=",
				"--listen="+first+":"+port, "--listen="+second+":"+port)
			if (code == exitOK) != both {
				t.Errorf("%q and %q: check-config: exit code %d, %s; a server can: %v", first, second, code, errs, both)
			}
			if code != exitOK && strings.Count(errs, "\n") != 1 {
				t.Errorf("%q and %q: %s", first, second, errs)
			}
		}
	}
}
