package main

import (
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// othersFlags are in the files of deploy and not this program's.
var othersFlags = strings.Fields(`--allowed-unsafe-sysctls --build --build-arg --clean --config.file --format
	--from --interval --now --platform --quiet --read-only --retries --skip --snapshot --start-period
	--stop-timeout --storage.tsdb.path --storage.tsdb.retention.time --system --timeout --ulimit --wait`)

// TestDeployNames: whatever flag or variable of the program stands in a file of
// deploy, be it in a comment, exists.
func TestDeployNames(t *testing.T) {
	known := make(map[string]bool)
	for _, f := range othersFlags {
		known[f] = true
	}
	for _, flag := range programFlags(t) {
		known["--"+flag.Name] = true
		for _, env := range flag.Envs {
			known[env] = true
		}
	}
	name := regexp.MustCompile(`(?:\B--[a-z][a-z.-]*[a-z]|\bROULETTE_[A-Z][A-Z_]*)`)
	found := 0
	for path, content := range deployFiles(t) {
		for _, n := range name.FindAllString(content, -1) {
			found++
			if !known[n] {
				t.Errorf("%s: the program knows no %s", path, n)
			}
		}
		if ext := filepath.Ext(path); ext == ".yaml" || ext == ".yml" {
			if err := yaml.Unmarshal([]byte(content), new(any)); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d names found", found)
	}
}

func programFlags(t *testing.T) (flags []*kong.Flag) {
	t.Helper()
	parser, err := kong.New(new(cli), kong.DefaultEnvars("ROULETTE"), kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	for _, nodes := range parser.Model.Leaves(false) {
		for _, group := range nodes.AllFlags(false) {
			flags = append(flags, group...)
		}
	}
	return flags
}

func deployFiles(t *testing.T) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir("deploy", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		files[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// readYAML reads a file of deploy into what it points to.
func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("deploy", path))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// parse is what the program understands of args and its environment.
func parse(t *testing.T, args ...string) *serveCommand {
	t.Helper()
	var c cli
	parser, err := kong.New(&c, kong.DefaultEnvars("ROULETTE"), kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &c.Serve
}

type httpProbe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

// TestKubernetes starts the program as the Deployment does, and probes it as it
// says.
func TestKubernetes(t *testing.T) {
	var d struct {
		Spec struct {
			Template struct {
				Spec struct {
					Grace      int `yaml:"terminationGracePeriodSeconds"`
					Containers []struct {
						Args  []string
						Ports []struct {
							Name   string
							Number string `yaml:"containerPort"`
						}
						Startup   httpProbe `yaml:"startupProbe"`
						Liveness  httpProbe `yaml:"livenessProbe"`
						Readiness httpProbe `yaml:"readinessProbe"`
						Lifecycle struct {
							PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
						}
					}
				}
			}
		}
	}
	readYAML(t, "kubernetes/deployment.yaml", &d)
	var service struct {
		Spec struct {
			Ports []struct {
				TargetPort string `yaml:"targetPort"`
			}
		}
	}
	readYAML(t, "kubernetes/service.yaml", &service)
	var monitor struct {
		Spec struct {
			Endpoints []struct{ Path, Port string } `yaml:"podMetricsEndpoints"`
		}
	}
	readYAML(t, "kubernetes/podmonitor.yaml", &monitor)

	pod := d.Spec.Template.Spec
	container, target, metrics := pod.Containers[0], service.Spec.Ports[0], monitor.Spec.Endpoints[0]
	c := parse(t, container.Args...)
	needed := time.Duration(container.Lifecycle.PreStop.Sleep.Seconds)*time.Second + c.DrainGrace + c.DrainTime
	if grace := time.Duration(pod.Grace) * time.Second; grace < needed+marginOfDrain {
		t.Errorf("killed after %v, but a drain takes up to %v", grace, needed)
	}

	bound := map[string]string{c.Listen[0]: "public", c.Admin: "admin"}
	ports := make(map[string]string) // name to which address of the program it is
	for _, p := range container.Ports {
		ports[p.Name] = bound[":"+p.Number]
	}
	if ports[target.TargetPort] != "public" {
		t.Errorf("the Service is for port %q of %v", target.TargetPort, ports)
	}

	p := serve(t, slices.DeleteFunc(container.Args, func(arg string) bool {
		return strings.HasPrefix(arg, "--listen=") || strings.HasPrefix(arg, "--admin=")
	})...)
	for _, probe := range []struct{ what, port, path string }{
		{"startup probe", container.Startup.HTTPGet.Port, container.Startup.HTTPGet.Path},
		{"liveness probe", container.Liveness.HTTPGet.Port, container.Liveness.HTTPGet.Path},
		{"readiness probe", container.Readiness.HTTPGet.Port, container.Readiness.HTTPGet.Path},
		{"metrics", metrics.Port, metrics.Path},
	} {
		if ports[probe.port] != "admin" {
			t.Errorf("%s: port %q of %v", probe.what, probe.port, ports)
		}
		if status, _ := get(t, "http://"+p.Admin+probe.path); status != http.StatusOK {
			t.Errorf("%s: %s answers %d", probe.what, probe.path, status)
		}
	}
}

// marginOfDrain is what the process may take to end after its drain.
const marginOfDrain = 5 * time.Second

func TestCompose(t *testing.T) {
	var c struct {
		Services map[string]struct {
			Ports       []string
			Volumes     []string
			Environment map[string]string
			Grace       time.Duration `yaml:"stop_grace_period"`
			Build       struct{ Context, Dockerfile string }
		}
	}
	readYAML(t, "docker/compose.yaml", &c)
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if _, err := os.Stat(filepath.Join("deploy/docker", from)); err != nil && strings.HasPrefix(from, ".") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	roulette := c.Services["roulette"]
	image, err := os.ReadFile(filepath.Join("deploy/docker", roulette.Build.Context, roulette.Build.Dockerfile))
	if err != nil {
		t.Fatal(err)
	}
	for _, env := range regexp.MustCompile(`(?m)^ENV (\w+)=(.*)$`).FindAllStringSubmatch(string(image), -1) {
		t.Setenv(env[1], env[2])
	}
	for name, value := range roulette.Environment {
		t.Setenv(name, value)
	}
	settings := parse(t)
	if needed := settings.DrainGrace + settings.DrainTime; roulette.Grace < needed+marginOfDrain {
		t.Errorf("killed after %v, but a drain takes up to %v", roulette.Grace, needed)
	}
	if _, port, _ := strings.Cut(roulette.Ports[0], ":"); len(roulette.Ports) != 1 || settings.Listen[0] != ":"+port {
		t.Errorf("%v is published, and the public address is %v", roulette.Ports, settings.Listen)
	}

	type scrapes struct {
		Rules []string `yaml:"rule_files"`
		Jobs  []struct {
			Name    string                       `yaml:"job_name"`
			Targets []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	var here, original scrapes
	readYAML(t, "docker/prometheus.yml", &here)
	readYAML(t, "../../../metrics/prometheus/prometheus.yml", &original)
	target := &here.Jobs[0].Targets[0].Targets[0]
	if *target != "roulette"+settings.Admin {
		t.Errorf("Prometheus scrapes %s, and the admin address is %s", *target, settings.Admin)
	}
	*target = original.Jobs[0].Targets[0].Targets[0] // the only difference
	if !reflect.DeepEqual(here, original) {
		t.Errorf("scrape configuration %v, want %v as in metrics/prometheus", here, original)
	}
}

// TestImageToolchain: the image is built with a Go of the version that go.mod
// asks for.
func TestImageToolchain(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindStringSubmatch(string(mod))
	if image := deployFiles(t)["deploy/docker/Dockerfile"]; !strings.Contains(image, " golang:"+version[1]+".") {
		t.Errorf("the image is not built with Go %s", version[1])
	}
}

// TestPackage: what the Debian package is made of exists, and is installed where
// the unit looks for it.
func TestPackage(t *testing.T) {
	type file struct{ Src, Dst string }
	var releases struct {
		Archives []struct{ Files []file }
		Packages []struct {
			Bindir   string
			Contents []file
			Scripts  map[string]string
		} `yaml:"nfpms"`
	}
	readYAML(t, "goreleaser.yaml", &releases)
	deb := releases.Packages[0]
	files := slices.Concat(releases.Archives[0].Files, deb.Contents)
	for _, script := range deb.Scripts {
		files = append(files, file{Src: script})
	}
	installed := make(map[string]string) // from where to where
	for _, f := range files {
		if found, err := filepath.Glob(filepath.Join("../..", f.Src)); err != nil || len(found) == 0 {
			t.Errorf("%s: %v, %d files", f.Src, err, len(found))
		}
		installed[strings.TrimPrefix(f.Src, "cmd/roulette/")] = f.Dst
	}
	unit := deployFiles(t)["deploy/systemd/roulette.service"]
	want := "ExecStart=" + deb.Bindir + "/roulette serve --config " + installed[examplePath] + "\n"
	if !strings.Contains(unit, want) {
		t.Errorf("no %s in the unit", want)
	}
}

// TestImageHealth asks for the image's health as Docker does.
func TestImageHealth(t *testing.T) {
	image := deployFiles(t)["deploy/docker/Dockerfile"]
	if check := `CMD ["/usr/bin/roulette", "health"]`; !strings.Contains(image, check) {
		t.Fatalf("no %s in the Dockerfile", check)
	}
	p := serve(t)
	_, port, err := net.SplitHostPort(p.Admin)
	if err != nil {
		t.Fatal(err)
	}
	environment := []string{"ROULETTE_ADMIN=:" + port} // on all addresses, as in the image
	if code := (launch{args: []string{"health"}, env: environment}).run(t).exit(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	p.stop(t)
	if code := (launch{args: []string{"health"}, env: environment}).run(t).exit(t); code == exitOK {
		t.Error("well, though it does not run")
	}
}
