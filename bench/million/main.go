//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

const (
	perConnection = 11 << 10 // bytes of the guest's memory: two sockets, and what both ends keep of it
	perUpgrade    = 2 << 10  // in an upgrade: two processes, and the state between them
	fixed         = 1 << 30  // bytes besides

	first  = "guest: " // what a line of the guest's program begins with
	passed = "passed"
)

func main() {
	if os.Getpid() == 1 {
		guest()
		return
	}
	n := flag.Int("connections", 1_000_000, "how many `connections`, an even number")
	sample := flag.Int("sample", 2_000, "how many of them talk at the end, an even number")
	upgrade := flag.Bool("upgrade", false, "have the server upgraded, while the sample talks")
	limit := flag.Duration("limit", 3*time.Hour, "`time` after which it is given up")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	if err := host(ctx, *n, min(*sample, *n), *upgrade); err != nil {
		fmt.Fprintln(os.Stderr, "million:", err)
		os.Exit(1)
	}
}

// host starts the guest and shows what it says.
func host(ctx context.Context, n, sample int, upgrade bool) error {
	uml, err := exec.LookPath("linux.uml")
	if err != nil {
		return fmt.Errorf("%w (Debian's package user-mode-linux)", err)
	}
	dir, err := os.MkdirTemp("", "million")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	initial := filepath.Join(dir, "initial.cpio")
	if err := pack(ctx, dir, initial); err != nil {
		return err
	}
	memory := (fixed + n*perConnection) >> 20
	if upgrade {
		memory += n * perUpgrade >> 20
	}
	fmt.Printf("a guest with %d MiB, %d connections, %s\n", memory, n, time.Now().Format("2 January 2006"))
	cmd := exec.CommandContext(ctx, uml, fmt.Sprintf("mem=%dM", memory), "initrd="+initial,
		"root=/dev/ram0", "rdinit=/init", "con=null", "con0=fd:0,fd:1", "quiet", "loglevel=1",
		fmt.Sprintf("CONNECTIONS=%d", n), fmt.Sprintf("SAMPLE=%d", sample), fmt.Sprintf("UPGRADE=%t", upgrade))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	result := follow(out)
	// How the guest's kernel ends says nothing about the run.
	_ = cmd.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	if result != passed {
		return errors.New("the guest did not pass")
	}
	return nil
}

// pack builds both programs, static, and makes the initial file system.
func pack(ctx context.Context, dir, initial string) error {
	f, err := os.Create(initial)
	if err != nil {
		return err
	}
	defer f.Close()
	a := &archive{w: f}
	for _, name := range []string{"proc", "sys", "dev", "tmp"} {
		a.add(name, directory, nil)
	}
	for name, pkg := range map[string]string{"init": "roulette/bench/million", "roulette": "roulette/cmd/roulette"} {
		path := filepath.Join(dir, name)
		build := exec.CommandContext(ctx, "go", "build", "-o", path, pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", build.Args, err, out)
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		a.add(name, executable, body)
	}
	if err := a.close(); err != nil {
		return err
	}
	return f.Close()
}

// follow shows the lines of the guest's program, not those of its kernel, and
// returns the last.
func follow(out io.Reader) (last string) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := strings.TrimRight(lines.Text(), "\r")
		if i := strings.Index(line, first); i >= 0 {
			last = line[i+len(first):]
			fmt.Println(last)
		}
	}
	return last
}
