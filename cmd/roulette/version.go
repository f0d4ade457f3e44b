package main

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

// release, revision and revisionTime may be set by a build, with -ldflags
// "-X main.release=1.2.3". The Go toolchain stamps what it sees of the repository by
// itself; revision and revisionTime (RFC 3339) are for builds without one, such as
// that of a container's image.
var release, revision, revisionTime string

// build is what is known about how this program was built; what is not is empty.
type build struct {
	version   string // 1.2.3
	revision  string // the commit in full, followed by -modified if more than that was built
	date      string // of the commit, 2026-11-22
	goVersion string // go1.26.1
}

// readBuild returns what this program's build has set and stamped.
func readBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	b := newBuild(info)
	b.version = cmp.Or(strings.TrimPrefix(release, "v"), b.version)
	b.revision = cmp.Or(revision, b.revision)
	b.date = cmp.Or(dateOf(revisionTime), b.date)
	return b
}

// newBuild returns what the toolchain has stamped.
func newBuild(info *debug.BuildInfo) build {
	b := build{
		version:   strings.TrimPrefix(strings.Trim(info.Main.Version, "()"), "v"),
		goVersion: info.GoVersion,
	}
	modified := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.revision = s.Value
		case "vcs.time":
			b.date = dateOf(s.Value)
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	if b.revision != "" && modified {
		b.revision += "-modified"
	}
	return b
}

// dateOf cuts the time off an RFC 3339 timestamp.
func dateOf(timestamp string) string {
	date, _, _ := strings.Cut(timestamp, "T")
	return date
}

// String is what --version prints.
func (b build) String() string {
	details := []string{shortened(b.revision), b.date, b.goVersion}
	details = slices.DeleteFunc(details, func(d string) bool { return d == "" })
	return fmt.Sprintf("roulette %s (%s)", cmp.Or(b.version, "unknown"), strings.Join(details, ", "))
}

// shortened is a revision with seven digits of the commit.
func shortened(revision string) string {
	commit, modified, found := strings.Cut(revision, "-")
	if found {
		modified = "-" + modified
	}
	return commit[:min(len(commit), 7)] + modified
}
