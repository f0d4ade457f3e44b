package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// healthCommand is roulette health.
type healthCommand struct {
	Admin string `placeholder:"ADDR" default:"127.0.0.1:8081" help:"Admin address of the server to ask (default ${default})."`
	Ready bool   `env:"-" help:"Ask whether it is ready for new clients, not only whether it lives."`
}

// healthTime is more than a server takes that has to wait for its workers.
const healthTime = 3 * time.Second

// Run prints the server's answer; an error if it is not a good one.
func (c *healthCommand) Run(stdout io.Writer) error {
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	// Never through a proxy of the environment.
	client := http.Client{Timeout: healthTime, Transport: &http.Transport{DisableKeepAlives: true}}
	// Without a host, as in :8081, it dials this machine, and resolves no name: a
	// container need not have /etc/hosts.
	r, err := client.Get("http://" + c.Admin + path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	if err != nil {
		return err
	}
	said := strings.Join(strings.Fields(string(body)), " ") // one line
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s: %s: %s", c.Admin, path, r.Status, said)
	}
	_, err = fmt.Fprintln(stdout, said)
	return err
}
