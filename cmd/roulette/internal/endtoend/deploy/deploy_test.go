package deploy

import (
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/endtoend/program"

	"github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v3"
)

// othersFlags are in the files of deploy and not this program's.
var othersFlags = strings.Fields(`--allowed-unsafe-sysctls --build --build-arg --chown --clean --config.file --format
	--from --from-file --from-literal --interval --now --platform --quiet --read-only --retries --skip --snapshot --start-period
	--stop-timeout --storage.tsdb.path --storage.tsdb.retention.time --system --timeout --ulimit --wait`)

// TestDeployNames: whatever flag or variable of the program stands in a file of
// deploy, be it in a comment, exists.
func TestDeployNames(t *testing.T) {
	known := make(map[string]bool)
	for _, f := range othersFlags {
		known[f] = true
	}
	name := regexp.MustCompile(`(?:\B--[a-z][a-z.-]*[a-z]|\bROULETTE_[A-Z][A-Z_]*)`)
	for _, command := range []string{"serve", "chat", "bench load", "bench soak", "health", "check-config"} {
		help, _, _ := program.Output(t, "", append(strings.Fields(command), "--help")...)
		for _, n := range name.FindAllString(help, -1) {
			known[n] = true
		}
	}
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

// folder is what operators get.
const folder = "cmd/roulette/deploy/"

// deployFiles are the files of folder, by their paths in it.
func deployFiles(t *testing.T) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(program.File(t, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, program.Root(t)+"/"+folder)] = string(content)
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
	content, err := os.ReadFile(program.File(t, folder+path))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// settings are what check-config prints.
type settings struct {
	Listen     []string
	Admin      string
	DrainGrace duration `toml:"drain-grace"`
	DrainTime  duration `toml:"drain-time"`
}

type duration struct{ time.Duration }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *duration) UnmarshalText(text []byte) (err error) {
	d.Duration, err = time.ParseDuration(string(text))
	return err
}

// parse is what the program understands of env and args.
func parse(t *testing.T, env []string, args ...string) (s settings) {
	t.Helper()
	check := exec.Command(program.Path(t), append([]string{"check-config", "--print"}, args...)...)
	check.Env = append(program.Environment(), env...)
	out, err := check.Output()
	if err != nil {
		t.Fatalf("check-config: %v", err)
	}
	if err := toml.Unmarshal(out, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

type httpProbe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

// TestKubernetes starts the program as the Deployment does, and probes it as it
// says.
func TestKubernetes(t *testing.T) {
	var d struct {
		Spec struct {
			Replicas int
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

	if d.Spec.Replicas != 1 {
		t.Errorf("%d replicas are as many worlds", d.Spec.Replicas)
	}
	pod := d.Spec.Template.Spec
	container, target, metrics := pod.Containers[0], service.Spec.Ports[0], monitor.Spec.Endpoints[0]
	c := parse(t, nil, container.Args...)
	needed := time.Duration(container.Lifecycle.PreStop.Sleep.Seconds)*time.Second + c.DrainGrace.Duration + c.DrainTime.Duration
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

	p := program.Serve(t, slices.DeleteFunc(container.Args, func(arg string) bool {
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
		if status, _ := program.Get(t, "http://"+p.Admin+probe.path); status != http.StatusOK {
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
			if _, err := os.Stat(filepath.Join(program.File(t, folder+"docker"), from)); err != nil && strings.HasPrefix(from, ".") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	roulette := c.Services["roulette"]
	image, err := os.ReadFile(filepath.Join(program.File(t, folder+"docker"), roulette.Build.Context, roulette.Build.Dockerfile))
	if err != nil {
		t.Fatal(err)
	}
	var environment []string
	for _, env := range regexp.MustCompile(`(?m)^ENV (\w+)=(.*)$`).FindAllStringSubmatch(string(image), -1) {
		environment = append(environment, env[1]+"="+env[2])
	}
	for name, value := range roulette.Environment {
		environment = append(environment, name+"="+value)
	}
	settings := parse(t, environment)
	if needed := settings.DrainGrace.Duration + settings.DrainTime.Duration; roulette.Grace < needed+marginOfDrain {
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
	mod, err := os.ReadFile(program.File(t, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindStringSubmatch(string(mod))
	if image := deployFiles(t)["docker/Dockerfile"]; !strings.Contains(image, " golang:"+version[1]+".") {
		t.Errorf("the image is not built with Go %s", version[1])
	}
}

// TestDebianPackageContents: what the Debian package is made of exists, and is installed where
// the unit looks for it.
func TestDebianPackageContents(t *testing.T) {
	type file struct{ Src, Dst string }
	var releases struct {
		Before   struct{ Hooks []string }
		Archives []struct{ Files []file }
		Packages []struct {
			Bindir   string
			Contents []file
			Scripts  map[string]string
		} `yaml:"nfpms"`
	}
	readYAML(t, "goreleaser.yaml", &releases)
	if hooks := releases.Before.Hooks; !slices.Equal(hooks, []string{"sh " + folder + "generate"}) {
		t.Fatalf("hooks %q", hooks)
	}
	generated := t.TempDir()
	generate := exec.Command("sh", folder+"generate", generated)
	generate.Dir = program.Root(t)
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, out)
	}
	deb := releases.Packages[0]
	files := slices.Concat(releases.Archives[0].Files, deb.Contents)
	for _, script := range deb.Scripts {
		files = append(files, file{Src: script})
	}
	installed := make(map[string]string) // from where to where
	for _, f := range files {
		source := program.File(t, f.Src)
		if name, ok := strings.CutPrefix(f.Src, folder+"generated/"); ok {
			source = filepath.Join(generated, name)
		}
		if found, err := filepath.Glob(source); err != nil || len(found) == 0 {
			t.Errorf("%s: %v, %d files", f.Src, err, len(found))
		}
		installed[f.Src] = f.Dst
	}
	unit := deployFiles(t)["systemd/roulette.service"]
	want := "ExecStart=" + deb.Bindir + "/roulette serve --config " + installed[folder+"roulette.toml"] + "\n"
	if !strings.Contains(unit, want) {
		t.Errorf("no %s in the unit", want)
	}
}

// TestImageHealth asks for the image's health as Docker does.
func TestImageHealth(t *testing.T) {
	image := deployFiles(t)["docker/Dockerfile"]
	if check := `CMD ["/usr/bin/roulette", "health"]`; !strings.Contains(image, check) {
		t.Fatalf("no %s in the Dockerfile", check)
	}
	p := program.Serve(t)
	_, port, err := net.SplitHostPort(p.Admin)
	if err != nil {
		t.Fatal(err)
	}
	environment := []string{"ROULETTE_ADMIN=:" + port} // on all addresses, as in the image
	if code := (program.Launch{Args: []string{"health"}, Env: environment}).Run(t).Exit(t); code != program.OK {
		t.Errorf("exit code %d", code)
	}
	p.Stop(t)
	if code := (program.Launch{Args: []string{"health"}, Env: environment}).Run(t).Exit(t); code == program.OK {
		t.Error("well, though it does not run")
	}
}
