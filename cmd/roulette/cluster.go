package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"time"

	"roulette/cmd/roulette/internal/config"
	"roulette/cmd/roulette/internal/mesh"
	"roulette/cmd/roulette/internal/server"
)

// worldForm is what a world may be called: it is a part of NATS subjects.
var worldForm = regexp.MustCompile(`^[\w-]{1,64}$`)

// maxNodeName is the longest name of a node, in bytes.
const maxNodeName = 64

// checkCluster adds to values what is wrong with the flags of several nodes. Whether
// the bus is there is known when the server runs, which does not depend on it.
func (c *serveFlags) checkCluster(values *config.Values) {
	for _, u := range c.Cluster {
		if err := mesh.CheckURL(u); err != nil {
			values.Reject("cluster", "%q: %w", u, err)
		}
	}
	if len(c.Cluster) == 0 {
		for key, given := range map[string]bool{
			"cluster-credentials": c.ClusterCredentials != "", "cluster-tls-ca": c.ClusterTLSCA != "",
			"cluster-tls-cert": c.ClusterTLSCert != "", "cluster-tls-key": c.ClusterTLSKey != "",
		} {
			if given {
				values.Reject(key, "is of no use without --cluster")
			}
		}
	}
	if (c.ClusterTLSCert == "") != (c.ClusterTLSKey == "") {
		values.Reject("cluster-tls-key", "goes with --cluster-tls-cert: both, or none")
	}
	if !worldForm.MatchString(c.ClusterWorld) {
		values.Reject("cluster-world", "%q is not up to 64 letters, digits, - and _", c.ClusterWorld)
	}
	if len(c.NodeName) > maxNodeName || strings.ContainsFunc(c.NodeName, func(r rune) bool { return r < ' ' }) {
		values.Reject("node-name", "%q is not a name of %d bytes at most", c.NodeName, maxNodeName)
	}
	if len(c.Cluster) > 0 && int(c.MaxMessageSize) > mesh.MaxMessage {
		values.Reject("max-message-size", "%d is more than %d, which is what goes between nodes", c.MaxMessageSize, mesh.MaxMessage)
	}
}

// clusterFiles sees whether the files are there.
func (c *serveFlags) clusterFiles() error {
	for _, f := range []struct{ key, path string }{
		{"cluster-credentials", c.ClusterCredentials}, {"cluster-tls-ca", c.ClusterTLSCA},
		{"cluster-tls-cert", c.ClusterTLSCert}, {"cluster-tls-key", c.ClusterTLSKey},
	} {
		if f.path == "" {
			continue
		}
		if _, err := os.ReadFile(f.path); err != nil {
			return usageError{fmt.Errorf("--%s: %w", f.key, err)}
		}
	}
	return nil
}

// nodes are the bus, nil without --cluster.
type nodes struct {
	bus    *mesh.NATS
	config *server.Cluster
	joined bool
}

// openCluster makes ready for the flags' cluster, and connects to nothing.
func (c *serveFlags) openCluster(logger *slog.Logger) *nodes {
	n := new(nodes)
	if len(c.Cluster) == 0 {
		return n
	}
	name := c.NodeName
	if name == "" {
		name, _ = os.Hostname()
	}
	n.bus = mesh.NewNATS(logger)
	n.config = &server.Cluster{World: c.ClusterWorld, Name: name, Bus: n.bus, Connected: n.bus.Connected,
		Join: func(m *mesh.Mesh) error { return n.join(c, m) }, Flush: n.bus.Flush}
	return n
}

// join has m, which may be nil, hear the others, as soon as the bus is there; once,
// for a successor has joined before it serves.
func (n *nodes) join(c *serveFlags, m *mesh.Mesh) error {
	if n.bus == nil || n.joined {
		return nil
	}
	n.joined = true
	err := n.bus.Start(mesh.NATSConfig{
		URLs: strings.Join(c.Cluster, ","), Credentials: c.ClusterCredentials,
		CA: c.ClusterTLSCA, Certificate: c.ClusterTLSCert, Key: c.ClusterTLSKey,
		Name: "roulette " + n.config.Name,
	}, m)
	if err != nil {
		return fmt.Errorf("--cluster: %w", err)
	}
	return nil
}

// leave says the last words.
func (n *nodes) leave() {
	if n.bus == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = n.bus.Close(ctx) // a bus that is gone hears nothing, and the others notice
}
