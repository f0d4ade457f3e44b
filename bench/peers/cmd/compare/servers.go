package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"roulette/bench"
	"roulette/bench/peers"
)

// A server is a command that prints where it listens.
type server struct {
	name    string
	title   string
	command []string
	perConn int  // descriptors that it needs for a connection
	secure  bool // wss://

	noStreams bool // a sender is not paused, so memory has no bound
}

// The server that ratios are taken of; over wss it is this one without TLS.
const (
	bound       = "epoll"
	boundSecure = "roulette"
)

var goPeers = []struct{ name, title string }{
	{"gorilla", "gorilla"},
	{"gws", "gws"},
	{"coder", "coder"},
	{"article", "gobwas + epoll, the way of the well-known article"},
}

// build makes the binaries in dir. A server that cannot be built is left out with
// a word why.
func build(ctx context.Context, o options, dir string) ([]server, error) {
	var names []string
	if o.only != "" {
		names = strings.Split(o.only, ",")
	}
	wanted := func(name string) bool { return names == nil || slices.Contains(names, name) }
	var servers []server
	add := func(name, title string, command []string, err error) {
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s is left out: %v\n", name, err)
			return
		}
		servers = append(servers, server{name: name, title: title, command: command, perConn: 1})
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	local := []string{"--listen", "127.0.0.1:0"}

	if wanted(bound) && !o.wss {
		add(bound, "C epoll relay, the limit", append([]string{at(bound)}, local...), buildC(ctx, at(bound)))
	}
	if wanted("uring") && !o.wss {
		add("uring", "C relay on io_uring, a probe", append([]string{at("uring")}, local...), buildUring(ctx, at("uring")))
		if n := len(servers); n > 0 && servers[n-1].name == "uring" {
			servers[n-1].noStreams = true
		}
	}
	if wanted("roulette") {
		command := append([]string{at("roulette"), "serve"}, local...)
		command = append(command, "--admin", "127.0.0.1:0", "--message-rate", "0")
		err := buildRoulette(ctx, at("roulette"))
		if !o.wss {
			add("roulette", "**roulette**", command, err)
		} else {
			add("roulette", "roulette without TLS", command, err)
			command = slices.Clone(command)
			command[3] = "unix:" + at("socket") // somewhere else than the other
			add("roulette-wss", "**roulette**", append(command, "--listen-tls", "127.0.0.1:0", "--tls-self-signed"), err)
			servers[len(servers)-1].secure = err == nil
		}
	}
	if o.wss && wanted("nginx") {
		err := errors.Join(buildRoulette(ctx, at("roulette")), run(ctx, "", "go", "build", "-o", at("nginx"), "roulette/bench/peers/nginx"))
		add("nginx", "nginx in front of roulette", []string{at("nginx"), "--listen", "{listen}", "--server", at("roulette")}, err)
		if n := len(servers); err == nil {
			servers[n-1].secure, servers[n-1].perConn = true, 2
		}
	}
	for _, e := range o.extra {
		name, command, _ := strings.Cut(e, "=")
		add(name, name, strings.Fields(command), nil)
		servers[len(servers)-1].secure = o.wss
	}
	for _, p := range goPeers {
		if o.wss && p.name == "article" { // which reads descriptors, not streams
			continue
		}
		if wanted(p.name) {
			err := run(ctx, "", "go", "build", "-o", at(p.name), "roulette/bench/peers/"+p.name)
			command := append([]string{at(p.name)}, local...)
			if o.wss {
				command = append(command, "--tls")
			}
			add(p.name, p.title, command, err)
			if o.wss && err == nil {
				servers[len(servers)-1].secure = true
			}
			if p.name == "article" && err == nil {
				servers[len(servers)-1].perConn = 2 // netpoll duplicates each
			}
		}
	}
	if len(servers) == 0 {
		return nil, fmt.Errorf("no server to measure")
	}
	return servers, nil
}

func buildC(ctx context.Context, to string) error {
	cc, err := exec.LookPath("cc")
	if err != nil {
		return fmt.Errorf("there is no C compiler: %w", err)
	}
	source := to + ".c"
	if err := os.WriteFile(source, peers.Epoll, 0o600); err != nil {
		return err
	}
	return run(ctx, "", cc, "-O2", "-o", to, source)
}

// buildUring needs Debian's package liburing-dev.
func buildUring(ctx context.Context, to string) error {
	cc, err := exec.LookPath("cc")
	if err != nil {
		return fmt.Errorf("there is no C compiler: %w", err)
	}
	dir := to + ".d"
	source := filepath.Join(dir, "uring.c")
	err = errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "epoll.c"), peers.Epoll, 0o600),
		os.WriteFile(source, peers.Uring, 0o600))
	if err != nil {
		return err
	}
	return run(ctx, "", cc, "-O2", "-I", dir, "-o", to, source, "-luring")
}

// buildRoulette builds the server in its own module, with its own dependencies.
func buildRoulette(ctx context.Context, to string) error {
	dir, err := sourceOfRoulette(ctx)
	if err != nil {
		return err
	}
	return run(ctx, dir, "go", "build", "-o", to, "./cmd/roulette")
}

func sourceOfRoulette(ctx context.Context) (dir string, err error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "roulette").Output()
	if err != nil {
		return "", fmt.Errorf("not run inside bench/peers: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func run(ctx context.Context, dir, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, out)
	}
	return nil
}

// start runs the server on a free port.
func (s server) start(ctx context.Context, cpus []int) (*bench.Process, error) {
	args := slices.Clone(s.command[1:])
	for i, a := range args {
		if strings.Contains(a, "{port}") || strings.Contains(a, "{listen}") {
			addr, err := freeAddress()
			if err != nil {
				return nil, err
			}
			_, port, _ := net.SplitHostPort(addr)
			args[i] = strings.NewReplacer("{port}", port, "{listen}", addr).Replace(a)
		}
	}
	return bench.Start(ctx, cpus, s.command[0], args...)
}

// freeAddress is one that nobody listens on now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
