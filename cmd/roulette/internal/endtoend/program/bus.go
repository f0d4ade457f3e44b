package program

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"roulette/cmd/roulette/internal/servertest"
)

// Bus is a real NATS server, which can be killed, stopped, and started again at the same
// address.
type Bus struct {
	Addr string // host:port

	t    testing.TB
	args []string
	env  []string
	cmd  *exec.Cmd
	out  bytes.Buffer // once it has ended
}

const natsServer = "nats-server"

// StartBus starts a NATS server that is open to everybody.
func StartBus(t testing.TB) *Bus {
	t.Helper()
	port := FreePort(t)
	return startBus(t, port, nil, "-a", "127.0.0.1", "-p", port)
}

// StartBusWith starts one by a configuration that has it listen on a port of the
// loopback.
func StartBusWith(t testing.TB, port, config string, env ...string) *Bus {
	t.Helper()
	return startBus(t, port, env, "-c", config)
}

func startBus(t testing.TB, port string, env []string, args ...string) *Bus {
	t.Helper()
	Installed(t, natsServer)
	b := &Bus{Addr: net.JoinHostPort("127.0.0.1", port), t: t, args: args, env: append(os.Environ(), env...)}
	b.Start()
	return b
}

// URL is where nodes find it.
func (b *Bus) URL() string { return "nats://" + b.Addr }

// Start starts it again, and returns when it accepts clients.
func (b *Bus) Start() {
	b.t.Helper()
	cmd := exec.Command(natsServer, b.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = b.env, &b.out, &b.out
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.cmd = cmd
	b.t.Cleanup(func() { // before what came first looks for leaks
		if end(cmd); b.t.Failed() && b.cmd == cmd {
			b.t.Logf("the bus said:\n%s", b.out.String())
		}
	})
	servertest.Await(b.t, "the bus", func() bool {
		c, err := net.Dial("tcp", b.Addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// Kill ends it with SIGKILL, and returns when it has ended.
func (b *Bus) Kill() { end(b.cmd) }

// Signal sends it a signal, SIGSTOP and SIGCONT perhaps.
func (b *Bus) Signal(sig syscall.Signal) {
	b.t.Helper()
	if err := b.cmd.Process.Signal(sig); err != nil {
		b.t.Fatal(err)
	}
}

// PID is its process.
func (b *Bus) PID() int { return b.cmd.Process.Pid }

func end(c *exec.Cmd) {
	if c.ProcessState == nil {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
}
