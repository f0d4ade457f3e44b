package main

import (
	"runtime/debug"
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
