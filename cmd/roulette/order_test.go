package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport is the order of the packages: what each folder may import of this
// module, besides its own packages as far as they are named. Tests may import
// more.
var mayImport = map[string][]string{
	"netpoll":           {"netpoll/onlylinux"},
	"netpoll/nettest":   {},
	"netpoll/onlylinux": {},
	"frame":             {},
	"frame/handshake":   {"frame"},
	"frame/record":      {"frame"},
	"frame/tls13":       {},
	"pairing":           {},
	"metrics":           {},
	"metrics/...":       {},
	"web":               {},
	"web/browsertest":   {},
	"web/stranger":      {},
	"bench":             {"frame", "frame/tls13"},
	"bench/...":         {"frame", "frame/tls13", "bench", "bench/..."},
	// Rooms of the program that know no connections.
	"cmd/roulette/internal/admin":    {"metrics", "cmd/roulette/internal/safety"},
	"cmd/roulette/internal/safety":   {},
	"cmd/roulette/internal/proof":    {},
	"cmd/roulette/internal/stamp":    {"frame", "cmd/roulette/internal/safety"},
	"cmd/roulette/internal/limit":    {},
	"cmd/roulette/internal/host":     {},
	"cmd/roulette/internal/tlsfront": {"frame/tls13"},
	"cmd/roulette/internal/resume":   {"frame/record"},
	"cmd/roulette/internal/terminal": {"frame", "frame/record", "cmd/roulette/internal/resume", "cmd/roulette/internal/proof"},

	"cmd/roulette/internal/moderator": {"cmd/roulette/internal/safety", "cmd/roulette/internal/terminal"},

	"cmd/...": {"cmd/roulette/internal/moderator", "netpoll", "netpoll/nettest", "netpoll/onlylinux", "frame", "frame/handshake", "frame/record", "frame/tls13", "pairing", "metrics", "web", "bench", "cmd/...",
		"cmd/roulette/internal/admin", "cmd/roulette/internal/safety", "cmd/roulette/internal/proof", "cmd/roulette/internal/stamp", "cmd/roulette/internal/limit", "cmd/roulette/internal/host", "cmd/roulette/internal/resume", "cmd/roulette/internal/terminal", "cmd/roulette/internal/tlsfront"},
}

// meetings is where netpoll and pairing meet: one place, and what looks into it.
var meetings = []string{"cmd/roulette/internal/server", "cmd/roulette/internal/simulator"}

// TestPackageOrder: netpoll, frame, pairing, metrics and web know nothing of
// each other, and meet in one place.
func TestPackageOrder(t *testing.T) {
	const module = "roulette/"
	var out, stderr bytes.Buffer
	list := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	list.Stdout, list.Stderr = &out, &stderr
	if err := list.Run(); err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var met []string
	for packages := json.NewDecoder(&out); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		row, ok := rowOf(name)
		if !ok {
			t.Errorf("%s has no row in mayImport", name)
			continue
		}
		var ours []string
		for _, imported := range p.Imports {
			other, ok := strings.CutPrefix(imported, module)
			if !ok {
				continue
			}
			otherRow, _ := rowOf(other)
			if !slices.Contains(mayImport[row], otherRow) {
				t.Errorf("%s imports %s", name, other)
			}
			ours = append(ours, other)
		}
		if slices.Contains(ours, "netpoll") && slices.Contains(ours, "pairing") {
			met = append(met, name)
		}
	}
	if !slices.Equal(met, meetings) {
		t.Errorf("netpoll and pairing meet in %q, not in %q", met, meetings)
	}
}

// rowOf finds a package's row of mayImport: its own, or its tree's.
func rowOf(name string) (row string, ok bool) {
	if _, ok := mayImport[name]; ok {
		return name, true
	}
	top, _, _ := strings.Cut(name, "/")
	_, ok = mayImport[top+"/..."]
	return top + "/...", ok
}
