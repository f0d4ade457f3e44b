package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/alecthomas/kong"

	"roulette/bench"
)

// output runs the program to its end and returns what it wrote.
func output(t *testing.T, input string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t), args...)
	cmd.Env = cleanEnvironment()
	cmd.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if strings.Contains(errs.String(), "DATA RACE") {
		t.Error(errs.String())
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// oneLine demands a line that says what is wrong, and nothing else.
func oneLine(t *testing.T, stderr, want string) {
	t.Helper()
	if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "roulette: ") || !strings.Contains(stderr, want) {
		t.Errorf("stderr %q, want one line with %q", stderr, want)
	}
}

func TestBench(t *testing.T) {
	p := serve(t, "--message-rate", "0")
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
			out, errs, code := output(t, "", args...)
			if code != exitOK || errs != "" || !strings.Contains(out, test.want) {
				t.Errorf("exit code %d, want %q\n%s%s", code, test.want, out, errs)
			}
		})
	}
}

func TestBenchJSONAndProgress(t *testing.T) {
	p := serve(t)
	out, errs, code := output(t, "", "bench", "ws://"+p.Addr+"/ws", "--connections", "10", "--duration", "300ms", "--json", "--progress")
	var r bench.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK {
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
	p := serve(t, "--message-rate", "1", "--message-burst", "1") // a hello and no more
	out, errs, code := output(t, "", "bench", "ws://"+p.Addr+"/ws", "--mode", "churn", "--connections", "10", "--duration", "300ms")
	if code != exitFailed || !strings.Contains(out, "4429") || !strings.Contains(out, "--message-rate") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	oneLine(t, errs, "")
}

func TestBenchRefuses(t *testing.T) {
	p := serve(t)
	tests := []struct {
		name, args, want string
		code             int
	}{
		{"nobody there", "ws://127.0.0.1:1/ws", "refused", exitFailed},
		{"no WebSocket", "ws://" + p.Addr + "/", "200 OK", exitFailed},
		{"no path", "ws://" + p.Addr + "/nowhere", "404", exitFailed},
		{"not a URL", "nonsense", "ws://", exitUsage},
		{"TLS", "wss://" + p.Addr + "/ws", "ws://", exitUsage},
		{"no URL", "", "url", exitUsage},
		{"no such mode", "ws://h/ws --mode fast", "--mode", exitUsage},
		{"no time", "ws://h/ws --duration 0s", "--duration", exitUsage},
		{"rate of another mode", "ws://h/ws --mode idle --rate 5", "--rate", exitUsage},
		{"odd", "ws://" + p.Addr + "/ws --connections 3", "partner", exitFailed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, errs, code := output(t, "", append([]string{"bench"}, strings.Fields(test.args)...)...)
			if code != test.code || out != "" {
				t.Errorf("exit code %d, stdout %q", code, out)
			}
			oneLine(t, errs, test.want)
		})
	}
}

func TestBenchInterrupted(t *testing.T) {
	p := serve(t, "--message-rate", "0")
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
	p := serve(t, "--message-rate", "0")
	stop := func(_ *os.Process, _ os.Signal) error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	out, _ := whileMeasuring(t, stop, "ws://"+p.Addr+"/ws", "--mode", "drain")
	if !strings.Contains(out, "10 with 1001 and a clean end, 0 left") || !strings.Contains(out, "errors                 none") {
		t.Errorf("summary %q", out)
	}
	if code := p.exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// whileMeasuring runs bench with ten clients and all the time there is, has
// interrupt end it when it measures, and returns what it wrote.
func whileMeasuring(t *testing.T, interrupt func(*os.Process, os.Signal) error, args ...string) (out, seen string) {
	t.Helper()
	args = append([]string{"bench", "--connections", "10", "--duration", "1h", "--progress"}, args...)
	cmd := exec.CommandContext(t.Context(), program(t), args...)
	cmd.Env = cleanEnvironment()
	progress, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines, done := bufio.NewScanner(progress), false; lines.Scan(); {
		fmt.Fprintln(&stderr, lines.Text())
		if !done && strings.Contains(lines.Text(), "measuring") {
			done = true
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

// The modes of the flag are those of the package.
func TestBenchModes(t *testing.T) {
	var c cli
	parser, err := kong.New(&c, kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	command, err := kong.Trace(parser, []string{"bench", "load", "ws://h/ws"})
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range command.Selected().Flags {
		if flag.Name != "mode" {
			continue
		}
		for _, m := range bench.Modes {
			if !slices.Contains(flag.EnumSlice(), string(m)) {
				t.Errorf("no mode %s", m)
			}
		}
		if len(flag.EnumSlice()) != len(bench.Modes) {
			t.Errorf("%v, want %v", flag.EnumSlice(), bench.Modes)
		}
		return
	}
	t.Error("no flag --mode")
}

func TestHelpNamesEveryCommand(t *testing.T) {
	out, _, code := output(t, "", "--help")
	for _, command := range []string{"serve", "chat", "bench", "health"} {
		if code != exitOK || !strings.Contains(out, "\n  "+command+" ") {
			t.Errorf("no %s in the help:\n%s", command, out)
		}
	}
}
