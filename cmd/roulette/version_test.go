package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionString(t *testing.T) {
	const commit = "ec57a22c6b3a52eab83dfc40be5183a879036fb9"
	stamp := func(version string, settings ...string) *debug.BuildInfo {
		info := &debug.BuildInfo{GoVersion: "go1.26.1", Main: debug.Module{Version: version}}
		for i := 0; i < len(settings); i += 2 {
			info.Settings = append(info.Settings, debug.BuildSetting{Key: settings[i], Value: settings[i+1]})
		}
		return info
	}
	for _, tc := range []struct {
		name string
		info *debug.BuildInfo
		want string
	}{
		{"a tag", stamp("v1.2.3", "vcs.revision", commit, "vcs.time", "2026-11-22T19:13:27Z", "vcs.modified", "false"),
			"roulette 1.2.3 (ec57a22, 2026-11-22, go1.26.1)"},
		{"a modified work tree", stamp("v1.2.3+dirty", "vcs.revision", commit, "vcs.time", "2026-11-22T19:13:27Z", "vcs.modified", "true"),
			"roulette 1.2.3+dirty (ec57a22-modified, 2026-11-22, go1.26.1)"},
		{"no repository", stamp("(devel)"), "roulette devel (go1.26.1)"},
		{"hardly anything", &debug.BuildInfo{GoVersion: "go1.26.1"}, "roulette unknown (go1.26.1)"},
	} {
		if got := newBuild(tc.info).String(); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestVersionStamped builds as a release is built, and asks the program, its
// metrics and its log.
func TestVersionStamped(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: links the program once more")
	}
	file := filepath.Join(t.TempDir(), "roulette")
	out, err := exec.Command("go", "build", "-o", file, "-trimpath", "-buildvcs=false", "-ldflags",
		"-X main.release=v1.2.3 -X main.revision=ec57a22c6b3a -X main.revisionTime=2026-11-22T19:13:27Z", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	got, err := exec.Command(file, "--version").Output()
	want := fmt.Sprintf("roulette 1.2.3 (ec57a22, 2026-11-22, %s)\n", runtime.Version())
	if err != nil || string(got) != want {
		t.Errorf("--version: %v, %q, want %q", err, got, want)
	}
	p := launch{program: file}.serve(t)
	labels := fmt.Sprintf(`{goversion=%q,revision="ec57a22c6b3a",version="1.2.3"}`, runtime.Version())
	if p.metric(t, "roulette_build_info"+labels) != 1 {
		t.Errorf("no build_info%s", labels)
	}
	p.stop(t)
	if log := p.stderr.String(); !strings.Contains(log, "version=1.2.3") {
		t.Errorf("the log does not say the version")
	}
}
