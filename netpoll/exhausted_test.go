package netpoll

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"roulette/netpoll/nettest"

	"golang.org/x/sys/unix"
)

// exhaustedEnv makes the test's binary the server of TestRealExhaustion.
const exhaustedEnv = "NETPOLL_TEST_EXHAUSTED"

// serveExhausted echoes with few descriptors, until standard input ends. Then
// it prints its counters.
func serveExhausted() {
	refused := 0 // for want of descriptors
	count := func(_ *Worker, why Refusal) {
		if why == NoDescriptors {
			refused++
		}
	}
	p, err := Open(Config{Workers: 1, NewHandler: hooks{read: echo, refused: count}.handler})
	if err != nil {
		panic(err)
	}
	if err := p.Start(); err != nil {
		panic(err)
	}
	bound, err := p.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		panic(err)
	}
	free, _ := unix.Open("/dev/null", unix.O_RDONLY, 0)
	unix.Close(free)
	limit := uint64(free + exhaustedRoom)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		panic(err)
	}
	fmt.Println(bound)
	io.Copy(io.Discard, os.Stdin)
	if err := p.Close(); err != nil {
		panic(err)
	}
	s := p.workers[0].stats
	fmt.Println(s.Accepted > exhaustedRoom, s.AcceptErrors[unix.EMFILE] > 0, refused > 0)
}

const exhaustedRoom = 8

// A process that really has no descriptors left refuses some, does not spin,
// and serves again when it can.
func TestRealExhaustion(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), exhaustedEnv+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	out := bufio.NewReader(stdout)
	addr, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr = strings.TrimSpace(addr)

	var served []net.Conn
	for range exhaustedRoom {
		c := dial(t, addr)
		if err := roundTrip(c, "hello"); err != nil {
			t.Fatalf("connection %d: %v", len(served), err)
		}
		served = append(served, c)
	}
	if err := roundTrip(dial(t, addr), "hello"); err == nil {
		t.Fatal("one too many is served")
	}
	next := dial(t, addr) // waits in the queue, or is refused
	for _, c := range served {
		c.Close()
	}
	roundTrip(next, "hello")
	nettest.Await(t, "it serves again", func() bool { return roundTrip(dial(t, addr), "hello") == nil })

	stdin.Close()
	got, err := out.ReadString('\n')
	if err != nil || got != "true true true\n" {
		t.Fatalf("it accepted, met EMFILE, and refused: %q, %v", got, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	// What little it had to do took no more than a moment of the processor.
	if used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); used > patience/4 {
		t.Errorf("it used %v of processor time", used)
	}
}
