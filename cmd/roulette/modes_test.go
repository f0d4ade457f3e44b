package main

import (
	"slices"
	"testing"

	"github.com/alecthomas/kong"

	"roulette/bench"
)

// The modes of the flag are those of the package.
func TestBenchModes(t *testing.T) {
	var c cli
	parser, err := kong.New(&c, kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	command, err := kong.Trace(parser, []string{"bench", "load", "ws://h/ws"})
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range command.Selected().Flags {
		if flag.Name != "mode" {
			continue
		}
		for _, m := range bench.Modes {
			if !slices.Contains(flag.EnumSlice(), string(m)) {
				t.Errorf("no mode %s", m)
			}
		}
		if len(flag.EnumSlice()) != len(bench.Modes) {
			t.Errorf("%v, want %v", flag.EnumSlice(), bench.Modes)
		}
		return
	}
	t.Error("no flag --mode")
}
