// Command nginx is the way without TLS in the server: nginx, which ends it, in front of
// the server over a Unix socket. It is two processes of its own; whoever measures this
// one measures its children too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"roulette/bench/peers/internal/serve"
)

const config = `
daemon off; user root; worker_processes 1; worker_rlimit_nofile %[1]d; pid %[2]s/pid; error_log stderr error;
events { worker_connections %[1]d; multi_accept on; }
http {
	access_log off;
	client_body_temp_path %[2]s/t; proxy_temp_path %[2]s/t; fastcgi_temp_path %[2]s/t; uwsgi_temp_path %[2]s/t; scgi_temp_path %[2]s/t;
	upstream roulette { server unix:%[2]s/socket; }
	server {
		listen %[3]s ssl;
		ssl_certificate %[2]s/certificate; ssl_certificate_key %[2]s/key; ssl_protocols TLSv1.3; ssl_session_cache shared:S:8m;
		location / {
			proxy_pass http://roulette; proxy_http_version 1.1; proxy_read_timeout 1h;
			proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_set_header Host $http_host;
		}
	}
}
`

func main() {
	listen := flag.String("listen", "", "address to listen on")
	server := flag.String("server", "", "the server's binary")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *server); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, listen, server string) error {
	dir, err := os.MkdirTemp("", "peer")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	at := func(name string) string { return filepath.Join(dir, name) }
	var lim syscall.Rlimit
	err = errors.Join(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim),
		serve.WriteCertificate(at("certificate"), at("key")),
		os.WriteFile(at("conf"), fmt.Appendf(nil, config, lim.Max, dir, listen), 0o600))
	if err != nil {
		return err
	}
	ended := make(chan error, 2)
	for _, args := range [][]string{
		{server, "serve", "--listen", "unix:" + at("socket"), "--admin", "", "--message-rate", "0", "--allowed-origins", "*"},
		{"nginx", "-p", dir, "-c", at("conf")},
	} {
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
		c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			return err
		}
		defer func() { _ = c.Process.Signal(syscall.SIGTERM); <-ended }()
		go func() { ended <- c.Wait() }()
	}
	for _, a := range [][2]string{{"unix", at("socket")}, {"tcp", listen}} {
		for deadline := time.Now().Add(10 * time.Second); ; {
			c, err := net.Dial(a[0], a[1])
			if err == nil {
				c.Close()
				break
			}
			if time.Now().After(deadline) {
				return err
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	fmt.Printf("listening on https://%s\n", listen)
	<-ctx.Done()
	return nil
}
