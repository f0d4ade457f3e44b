package chaos

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// clientsEnv makes the test binary a process of clients of that address instead:
// see TestChaosStoppedClients.
const clientsEnv = "ROULETTE_TEST_CLIENTS_OF"

const stoppedClients = 40

// TestHelperProcess is the process of clients. They are in the pool when it prints
// "ready"; after a line on stdin it prints how each of them ended, lets as many come
// again, and says how many of them got an answer.
func TestHelperProcess(t *testing.T) {
	servertest.Parallel(t)
	addr := os.Getenv(clientsEnv)
	if addr == "" {
		t.Skip("not a process of clients")
	}
	var clients []*servertest.Conn
	for range stoppedClients {
		clients = append(clients, servertest.Dial(t, addr, "/ws"))
	}
	fmt.Println("ready")
	goOn := bufio.NewScanner(os.Stdin)
	goOn.Scan()
	for _, c := range clients {
		for {
			f, err := c.Read()
			if err == nil && f.Op != servertest.OpClose {
				continue // a ping, which it could not answer
			}
			fmt.Println("ended", f.Code(), err)
			break
		}
		c.TCP.Close()
	}
	for range stoppedClients {
		c := servertest.Dial(t, addr, "/echo")
		c.Write(program.Text("back"))
		c.Expect(servertest.OpText, "back")
		c.Leave()
	}
	fmt.Println("back")
}

// TestChaosStoppedClients: half of the clients are stopped by SIGSTOP for longer
// than the pong time. The others go on; the stopped are closed with 4408, which
// they find when they are continued, and may come again.
func TestChaosStoppedClients(t *testing.T) {
	servertest.Parallel(t)
	const bound = calmGrowth // some dozen clients
	c := startChaos(t, program.Launch{Args: []string{"--ping-interval=2s", "--idle-ping-interval=2s", "--pong-timeout=2s"}})
	load := c.healthyLoad(time.Hour)
	load.Idle = 20 // who say nothing live by their pongs
	healthy := c.begin(load)

	clients := exec.Command(os.Args[0], "-test.run=^TestHelperProcess$")
	clients.Env = append(os.Environ(), clientsEnv+"="+c.Addr)
	clients.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err1 := clients.StdinPipe()
	out, err2 := clients.StdoutPipe()
	runtime.LockOSThread() // Pdeathsig goes by the thread
	defer runtime.UnlockOSThread()
	if err := errors.Join(err1, err2, clients.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = clients.Process.Kill() // unless it has ended
		_ = clients.Wait()         // its output has said how
	})
	said := bufio.NewScanner(out)
	line := func() string {
		if !said.Scan() {
			t.Fatalf("the clients ended: %v", said.Err())
		}
		return said.Text()
	}
	if got := line(); got != "ready" {
		t.Fatal(got)
	}
	begin := time.Now()
	if err := clients.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	const closed = `roulette_connections_closed_total{code="4408",initiator="server"}`
	servertest.Await(t, "the stopped to be closed", func() bool { return c.Metric(t, closed) == stoppedClients })
	t.Logf("all %d stopped clients were closed within %v", stoppedClients, time.Since(begin))
	if err := clients.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(in)
	for range stoppedClients {
		if got := line(); got != "ended 4408 <nil>" {
			t.Errorf("a stopped client %s", got)
		}
	}
	if got := line(); got != "back" {
		t.Errorf("%q, want all of them back", got)
	}
	r := c.finish(healthy)
	t.Logf("beside them %d healthy messages, p99 %.0f µs, %d pings answered", r.Messages, r.Latency.P99, r.Pings)
	if r.Pings == 0 {
		t.Error("nobody was pinged")
	}
	c.end(bound)
}

// TestChaosStoppedServer: the program itself is stopped and continued, at random
// moments, once for longer than all its deadlines and than the rate limit's burst.
// Nobody pays for that: no message is lost, and nobody is closed.
func TestChaosStoppedServer(t *testing.T) {
	servertest.Parallel(t)
	// While it is stopped, the kernel keeps what its clients send.
	const bound = calmGrowth
	// At 8 messages a second, the burst of 20 and its grace are used up in 4 s.
	c := startChaos(t, program.Launch{Args: []string{
		"--ping-interval=2s", "--idle-ping-interval=2s", "--pong-timeout=2s", "--stall-timeout=2s", "--handshake-timeout=2s",
		"--message-rate=20", "--message-burst=20",
	}})
	rnd := rand.New(rand.NewPCG(program.Seed(t), 0))
	load := c.healthyLoad(time.Hour)
	load.Rate = 8 * float64(load.Connections)
	load.Idle = 20
	healthy := c.begin(load)
	// The times are the chaos itself: nothing is waited for.
	pause := func(between, stopped time.Duration) {
		<-time.After(between)
		c.Signal(t, syscall.SIGSTOP)
		<-time.After(stopped)
		c.Signal(t, syscall.SIGCONT)
	}
	const short = 8
	for range short {
		pause(time.Duration(rnd.IntN(100))*time.Millisecond, time.Duration(1+rnd.IntN(200))*time.Millisecond)
	}
	pause(0, 5*time.Second)
	r := c.finish(healthy)
	if got := c.Metric(t, `roulette_limits_exceeded_total{limit="message_rate"}`); got != 0 {
		t.Errorf("%v warned for what came while nobody looked", got)
	}
	t.Logf("%d short stops and one of 5 s: %d healthy messages, none lost, p99 %.0f ms", short, r.Messages, r.Latency.P99/1000)
	c.end(bound)
}

// TestChaosStarved: the program's threads get only what processor time all others
// leave (SCHED_IDLE), and there are others that want all of it.
func TestChaosStarved(t *testing.T) { // alone: it takes all processors
	const bound = calmGrowth // as when stopped
	c := startChaos(t, program.Launch{Args: []string{"--ping-interval=1s", "--idle-ping-interval=1s", "--pong-timeout=2s", "--message-rate=20"}})
	load := c.healthyLoad(time.Hour)
	load.Idle = 20
	healthy := c.begin(load)

	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", c.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	schedule := func(policy uint32) {
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			if err != nil {
				t.Fatal(err)
			}
			err = unix.SchedSetAttr(id, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policy}, 0)
			if err != nil && !errors.Is(err, unix.ESRCH) { // it has ended
				t.Fatal(err)
			}
		}
	}
	var hogs []*exec.Cmd
	stop := func() {
		for _, hog := range hogs {
			_ = hog.Process.Kill()
			_ = hog.Wait() // was killed
		}
		hogs = nil
	}
	t.Cleanup(stop)
	runtime.LockOSThread() // Pdeathsig goes by the thread
	defer runtime.UnlockOSThread()
	for range runtime.NumCPU() {
		hog := exec.Command("sh", "-c", "while :; do :; done")
		hog.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := hog.Start(); err != nil {
			t.Fatal(err)
		}
		hogs = append(hogs, hog)
	}
	schedule(unix.SCHED_IDLE)
	begin, before := time.Now(), healthy.messages.Load()
	<-time.After(3 * time.Second)
	stop()
	schedule(unix.SCHED_NORMAL)
	starved := healthy.messages.Load() - before
	r := c.finish(healthy)
	t.Logf("starved for %v, in which %d healthy messages arrived; %d in all, none lost, p99 %.0f ms",
		time.Since(begin), starved, r.Messages, r.Latency.P99/1000)
	c.end(bound)
}
