package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"roulette/bench"
	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

func TestBench(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t, "--message-rate", "0")
	tests := []struct {
		name string
		path string
		args string
		want string // in the summary
	}{
		{"fixed rate, by default", "/ws", "--connections 20 --rate 1000", "p99.9"},
		{"ping-pong of an echo", "/echo", "--mode pingpong --connections 5 --size 1KiB", "1024 B"},
		{"stream", "/ws", "--mode stream --connections 4", "MiB/s"},
		{"handshakes", "/ws", "--mode handshakes --connections 4", "handshakes"},
		{"idle, ramp", "/ws", "--mode idle --connections 20 --ramp 100ms", "connected              20"},
		{"churn, two threads", "/ws", "--mode churn --connections 8 --threads 2", "sessions"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"bench", "ws://" + p.Addr + test.path, "--duration", "300ms"}, strings.Fields(test.args)...)
			out, errs, code := program.Output(t, "", args...)
			if code != program.OK || errs != "" || !strings.Contains(out, test.want) {
				t.Errorf("exit code %d, want %q\n%s%s", code, test.want, out, errs)
			}
		})
	}
}

func TestBenchJSONAndProgress(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t)
	out, errs, code := program.Output(t, "", "bench", "ws://"+p.Addr+"/ws", "--connections", "10", "--duration", "300ms", "--json", "--progress")
	var r bench.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != program.OK {
		t.Fatalf("%v, exit code %d\n%s%s", err, code, out, errs)
	}
	if r.Mode != bench.Rate || r.Connected != 10 || r.Messages == 0 || r.Latency == nil || r.Latency.P999 == 0 {
		t.Errorf("%+v", r)
	}
	if !strings.Contains(errs, "measuring") || strings.Contains(errs, "\x1b") {
		t.Errorf("progress %q", errs)
	}
}

// A server that ends connections for what the load does is no success.
func TestBenchOverTheRateLimit(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t, "--message-rate", "1", "--message-burst", "1") // a hello and no more
	out, errs, code := program.Output(t, "", "bench", "ws://"+p.Addr+"/ws", "--mode", "churn", "--connections", "10", "--duration", "300ms")
	if code != program.Failed || !strings.Contains(out, "4429") || !strings.Contains(out, "--message-rate") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	program.OneLine(t, errs, "above the server's message rate limit")
}

func TestBenchRefuses(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t)
	tests := []struct {
		name, args, want string
		code             int
	}{
		{"nobody there", "ws://127.0.0.1:1/ws", "refused", program.Failed},
		{"a page", "ws://" + p.Addr + "/", "the chat is ws://" + p.Addr + "/ws", program.Usage},
		{"a host alone", "ws://" + p.Addr, "the chat is ws://" + p.Addr + "/ws", program.Usage},
		{"no WebSocket", "ws://" + p.Addr + "/robots.txt", "200 OK", program.Failed},
		{"no path", "ws://" + p.Addr + "/nowhere", "404", program.Failed},
		{"not a URL", "nonsense", "ws://", program.Usage},
		{"TLS where there is none", "wss://" + p.Addr + "/ws", "speaks no TLS", program.Failed},
		{"no URL", "", "url", program.Usage},
		{"no such mode", "ws://h/ws --mode fast", "--mode", program.Usage},
		{"no time", "ws://h/ws --duration 0s", "--duration", program.Usage},
		{"rate of another mode", "ws://h/ws --mode idle --rate 5", "--rate", program.Usage},
		{"one node alone", "ws://h/ws --across", "--across", program.Usage},
		{"a second URL that is none", "ws://h/ws nonsense", "nonsense", program.Usage},
		{"two of different kinds", "ws://" + p.Addr + "/ws ws://" + p.Addr + "/echo", "not the same", program.Failed},
		{"odd", "ws://" + p.Addr + "/ws --connections 3", "partner", program.Failed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, errs, code := program.Output(t, "", append([]string{"bench"}, strings.Fields(test.args)...)...)
			if code != test.code || out != "" {
				t.Errorf("exit code %d, stdout %q", code, out)
			}
			program.OneLine(t, errs, test.want)
		})
	}
}

func TestBenchInterrupted(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t, "--message-rate", "0")
	out, seen := whileMeasuring(t, (*os.Process).Signal, "ws://"+p.Addr+"/ws", "--mode", "pingpong")
	if !strings.Contains(out, "latency") || !strings.Contains(out, "faults                 none") {
		t.Errorf("summary %q", out)
	}
	if !strings.Contains(seen, "interrupted") {
		t.Errorf("stderr %q", seen)
	}
}

// TestBenchDrain: the server is stopped meanwhile, and bench says how it was.
func TestBenchDrain(t *testing.T) {
	servertest.Parallel(t)
	p := program.Serve(t, "--message-rate", "0")
	stop := func(_ *os.Process, _ os.Signal) error { return p.Cmd.Process.Signal(syscall.SIGTERM) }
	out, _ := whileMeasuring(t, stop, "ws://"+p.Addr+"/ws", "--mode", "drain")
	if !strings.Contains(out, "10 with 1001 and a clean end, 0 left") || !strings.Contains(out, "errors                 none") {
		t.Errorf("summary %q", out)
	}
	if code := p.Exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// whileMeasuring runs bench with ten clients and all the time there is, has
// interrupt end it when it measures, and returns what it wrote.
func whileMeasuring(t *testing.T, interrupt func(*os.Process, os.Signal) error, args ...string) (out, seen string) {
	t.Helper()
	args = append([]string{"bench", "--connections", "10", "--duration", "1h", "--progress"}, args...)
	cmd := exec.CommandContext(t.Context(), program.Path(t), args...)
	cmd.Env = program.Environment()
	progress, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	measuring := 0
	for lines := bufio.NewScanner(progress); lines.Scan(); {
		fmt.Fprintln(&stderr, lines.Text())
		if !strings.Contains(lines.Text(), "measuring") {
			continue
		}
		if measuring++; measuring == 2 { // the first line may be of the very beginning, when nothing has arrived
			if err := interrupt(cmd.Process, syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s%s", err, &stdout, &stderr)
	}
	return stdout.String(), stderr.String()
}

func TestHelpNamesEveryCommand(t *testing.T) {
	servertest.Parallel(t)
	out, _, code := program.Output(t, "", "--help")
	for _, command := range []string{"serve", "chat", "bench", "health"} {
		if code != program.OK || !strings.Contains(out, "\n  "+command+" ") {
			t.Errorf("no %s in the help:\n%s", command, out)
		}
	}
}
