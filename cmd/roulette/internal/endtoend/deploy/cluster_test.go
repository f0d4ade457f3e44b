package deploy

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.yaml.in/yaml/v3"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// clusterArgs are what the component of Kubernetes adds to the program's.
func clusterArgs(t *testing.T) (args []string) {
	t.Helper()
	var component struct {
		Patches []struct{ Patch string }
	}
	readYAML(t, "kubernetes/cluster/kustomization.yaml", &component)
	var changes []struct {
		Op, Path string
		Value    any
	}
	if err := yaml.Unmarshal([]byte(component.Patches[0].Patch), &changes); err != nil {
		t.Fatal(err)
	}
	replicas := 0
	for _, c := range changes {
		switch {
		case strings.HasSuffix(c.Path, "/args/-"):
			args = append(args, c.Value.(string))
		case c.Path == "/spec/replicas":
			replicas = c.Value.(int)
		}
	}
	if replicas != 3 {
		t.Errorf("%d nodes", replicas)
	}
	return args
}

// natsConf is the configuration that Kubernetes gives the bus. All kinds that a cluster
// needs are in its file.
func natsConf(t *testing.T) (conf string) {
	t.Helper()
	kinds := map[string]bool{}
	d := yaml.NewDecoder(strings.NewReader(deployFiles(t)["kubernetes/cluster/nats.yaml"]))
	for {
		var object struct {
			Kind string
			Data map[string]string
		}
		err := d.Decode(&object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds[object.Kind] = true
		if object.Kind == "ConfigMap" {
			conf = object.Data["nats.conf"]
		}
	}
	for _, kind := range []string{"ConfigMap", "StatefulSet", "Service", "NetworkPolicy", "PodDisruptionBudget"} {
		if !kinds[kind] {
			t.Errorf("no %s", kind)
		}
	}
	return conf
}

// TestClusterKustomized: the component goes with the rest.
func TestClusterKustomized(t *testing.T) {
	if _, err := exec.LookPath("kubectl"); err != nil { // not in CI either: Debian's, 1.20, knows no components
		t.Skip("skipped: needs kubectl 1.21 or newer, which no package of the distribution has")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(program.File(t, folder+"kubernetes"))); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "kustomization.yaml")
	all, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(all, "\ncomponents: [tls, cluster]\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("kubectl", "kustomize", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range append(clusterArgs(t), "replicas: 3", "kind: StatefulSet", "mountPath: /etc/roulette/resume", "mountPath: /etc/roulette/tls") {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("no %q", want)
		}
	}
}

// TestClusterBus: with the account of the files a node joins the bus, and its permissions
// reach no further than its world.
func TestClusterBus(t *testing.T) {
	confs := map[string]string{"kubernetes": natsConf(t), "docker": deployFiles(t)["docker/nats.conf"]}
	for name, conf := range confs {
		t.Run(name, func(t *testing.T) {
			port := program.FreePort(t)
			conf = strings.Replace(conf, `listen: "0.0.0.0:4222"`, `listen: "127.0.0.1:`+port+`"`, 1)
			conf = regexp.MustCompile(`(?m)^http: .*$`).ReplaceAllString(conf, "")
			file := filepath.Join(t.TempDir(), "nats.conf")
			if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
				t.Fatal(err)
			}
			addr := program.StartBusWith(t, port, file, "NODE_PASSWORD=s3cret").Addr
			var args []string
			for _, arg := range clusterArgs(t) {
				if strings.HasPrefix(arg, "--resume-key=") {
					arg = "--resume-key=" + filepath.Join(t.TempDir(), "key")
				}
				arg = strings.NewReplacer("$(BUS_PASSWORD)", "s3cret", "roulette-nats:4222", addr).Replace(arg)
				args = append(args, arg)
			}
			a, b := program.Serve(t, args...), program.Serve(t, args...)
			for _, p := range []*program.Process{a, b} {
				servertest.Await(t, "the nodes to know each other", func() bool { return p.Metric(t, "roulette_cluster_nodes") == 2 })
			}
			foreign(t, addr)
		})
	}
}

// foreign sees that nobody comes in without the password, and with it no further than one
// world.
func foreign(t *testing.T, addr string) {
	if c, err := nats.Connect("nats://" + addr); err == nil {
		c.Close()
		t.Error("anybody may come in")
	}
	refused := make(chan error, 2)
	c, err := nats.Connect("nats://node:s3cret@"+addr, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.SubscribeSync("roulette.other.beat"); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish("roulette.other.beat", nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case err := <-refused:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Error(err)
			}
		case <-time.After(servertest.Patience):
			t.Fatal("another world is open")
		}
	}
}
