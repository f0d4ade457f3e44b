package program

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"testing"
)

// FreePort returns a port of the loopback for a program that must be told one, or
// that is to come back to the one that it had. The kernel gives it to nobody who does
// not ask for it by number, and no other test takes it before this one has ended.
func FreePort(t testing.TB) string {
	t.Helper()
	const lowest = 10_240
	ephemeral := 32_768
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(b), &ephemeral) // else the usual one
	}
	if ephemeral <= lowest {
		t.Fatalf("the kernel gives away all ports from %d", ephemeral)
	}
	for range 1000 {
		port := strconv.Itoa(lowest + rand.IntN(ephemeral-lowest))
		mine, err := net.Listen("unix", "@roulette-test-port-"+port)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", ":"+port)
		if err != nil {
			mine.Close()
			continue
		}
		l.Close()
		t.Cleanup(func() { mine.Close() })
		return port
	}
	t.Fatal("no free port")
	return ""
}
