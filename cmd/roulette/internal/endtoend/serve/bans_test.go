package serve

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/servertest"
)

// TestBans: the commands, the real server, and what is left of its decisions when it is
// killed.
func TestBans(t *testing.T) {
	servertest.Parallel(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	serve := func() *program.Process {
		return program.Serve(t, "--state-dir", dir, "--trusted-proxies", "127.0.0.0/8")
	}
	p := serve()
	order := func(input string, args ...string) string {
		t.Helper()
		out, errs, code := program.Output(t, input, append(args, "--admin", p.Admin)...)
		if code != 0 {
			t.Fatalf("%q: %d %s", args, code, errs)
		}
		return out
	}
	status := func(client string) int {
		t.Helper()
		r, err := http.NewRequest("GET", "http://"+p.Addr+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-For", client)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	if out := order("", "bans"); out != "Nobody is banned.\n" {
		t.Error(out)
	}
	c := servertest.Connect(t, p.Addr)
	c.Write([]byte(servertest.Request(p.Addr, "/ws", "X-Forwarded-For: 192.0.2.7")))
	if err := c.Upgraded(); err != nil {
		t.Fatal(err)
	}
	if out := order("", "ban", "192.0.2.7", "--for", "2h", "--reason", "a test"); !strings.HasPrefix(out, "192.0.2.7/32 is banned until ") || strings.Contains(out, "state-dir") {
		t.Error(out)
	}
	c.ExpectClose(4503)
	if out := order("198.51.100.0/24 # a list\n2001:db8::1\n", "ban", "--from", "-"); !strings.HasPrefix(out, "2 networks are banned until ") {
		t.Error(out)
	}
	if out := order("", "unban", "198.51.100.0/24"); out != "1 lifted\n" {
		t.Error(out)
	}
	order("", "notice", "restart", "--in", "3m")
	for _, wrong := range [][]string{
		{"ban"}, {"ban", "example.org"}, {"ban", "0.0.0.0/0"}, {"ban", "192.0.2.0/24", "--for", "9000h"}, {"unban", "203.0.113.1"},
		{"ban", "--from", filepath.Join(dir, "nothing")}, {"notice", "party"},
	} {
		_, errs, code := program.Output(t, "", append(wrong, "--admin", p.Admin)...)
		if program.OneLine(t, errs, ""); code == 0 {
			t.Errorf("%q is obeyed", wrong)
		}
	}
	p.Kill(t)
	cut, err := os.OpenFile(filepath.Join(dir, "decisions.log"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(cut, `0badc0de {"at":"2026`) // as if it had been killed while it wrote
	cut.Close()
	p = serve()
	for client, want := range map[string]int{"192.0.2.7": 403, "2001:db8::ffff": 403, "198.51.100.1": 200, "192.0.2.8": 200} {
		if got := status(client); got != want {
			t.Errorf("%s after a crash: %d, want %d", client, got, want)
		}
	}
	if out := order("", "bans"); strings.Count(out, "\n") != 3 || !strings.Contains(out, "a test") {
		t.Error(out)
	}
	if !strings.Contains(p.Stderr.String(), "lines of decisions cannot be read") {
		t.Error("the line that was cut is not mentioned")
	}
	p.Stop(t)

	p = program.Serve(t) // without a place for decisions
	if out := order("", "ban", "192.0.2.7"); !strings.Contains(out, "until the server stops") {
		t.Error(out)
	}
	p.Stop(t)
}
