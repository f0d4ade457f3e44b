package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/alecthomas/kong"

	"roulette/cmd/roulette/internal/config"
)

var update = flag.Bool("update", false, "write the files that are made of the flags")

// configFile writes a file of settings.
func configFile(t testing.TB, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "roulette.toml")
	writeConfig(t, path, lines...)
	return path
}

func writeConfig(t testing.TB, path string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// said is what the program writes, and its exit code, with this in the environment
// and no other settings.
func said(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	for _, e := range slices.Concat(os.Environ(), env) {
		if name, value, _ := strings.Cut(e, "="); strings.HasPrefix(name, "ROULETTE_") {
			t.Setenv(name, value)
			if !slices.Contains(env, e) {
				os.Unsetenv(name) // as it was, when the test is over
			}
		}
	}
	var out, errs strings.Builder
	code = run(args, &out, &errs)
	return out.String(), errs.String(), code
}

// settingsOf are the flags of serve that are settings, at their defaults.
func settingsOf(t testing.TB) (flags []*kong.Flag) {
	t.Helper()
	call, mistakes := read([]string{"serve"}, os.Stdout, os.Stderr)
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	for _, f := range config.Settings(call.ctx.Selected()) {
		if f.Name != "config" {
			flags = append(flags, f)
		}
	}
	return flags
}

func TestPrecedence(t *testing.T) {
	file := configFile(t, `message-burst = 11`, `message-rate = 12`, `max-connections = 13`,
		`ping-interval = "14s"`, `max-message-size = "15KiB"`, `listen = ["127.0.0.1:16"]`)
	out, errs, code := said(t, []string{"ROULETTE_MESSAGE_BURST=21", "ROULETTE_MESSAGE_RATE=22", "ROULETTE_MAX_MESSAGE_SIZE=25KiB",
		"ROULETTE_LISTEN=127.0.0.1:26,127.0.0.1:27"},
		"check-config", "--print", "--config", file, "--message-burst=31", "--ping-interval=34s")
	if code != exitOK || errs != "" {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	for _, line := range []string{
		"message-burst = 31 # flag",
		"message-rate = 22 # ROULETTE_MESSAGE_RATE",
		"max-connections = 13 # " + file + ":3",
		"ping-interval = '34s' # flag",
		"max-message-size = '25KiB' # ROULETTE_MAX_MESSAGE_SIZE",
		"listen = ['127.0.0.1:26', '127.0.0.1:27'] # ROULETTE_LISTEN",
		"pong-timeout = '10s' # default",
	} {
		if !slices.Contains(strings.Split(out, "\n"), line) {
			t.Errorf("no line %q in\n%s", line, out)
		}
	}
	t.Run("the file from the environment", func(t *testing.T) {
		out, _, code := said(t, []string{"ROULETTE_CONFIG=" + file}, "check-config", "--print")
		if code != exitOK || !strings.Contains(out, "message-rate = 12 # "+file+":2\n") {
			t.Error(out)
		}
	})
}

func TestCheckConfig(t *testing.T) {
	if out, errs, code := said(t, nil, "check-config"); out != "OK\n" || errs != "" || code != exitOK {
		t.Errorf("%q, %q, exit code %d", out, errs, code)
	}
	env := []string{"ROULETTE_PING_INTERVALL=1s", "ROULETTE_PORT_8080_TCP_ADDR=10.0.0.1", "ROULETTE_WEB_SERVICE_HOST=10.0.0.1"}
	if _, errs, code := said(t, env, "check-config"); code != exitOK || errs != "roulette: warning: ROULETTE_PING_INTERVALL is no setting\n" {
		t.Errorf("%q, exit code %d", errs, code)
	}
}

// TestWrongConfiguration: all mistakes, a line each, with the key's name and
// where it is; check-config and serve say the same, and serve has touched no
// port: those that it should have are taken, which it does not notice.
func TestWrongConfiguration(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	long := "# " + strings.Repeat("x", 64<<10)
	for _, tc := range []struct {
		name  string
		lines []string
		args  []string
		env   []string
		says  []string // FILE is the file's name
	}{
		{
			name: "each of another kind",
			lines: []string{
				`# comments count as lines`, `ping-interval = 25`, `max_connections = 3`, `workers = "two"`,
				`log-format = "xml"`, `a.b = 1`, `allowed-origins = ["foo", "https://example.org", "bar"]`,
				`pong-timeout = "0s"`, `max-message-size = "64 potatoes"`, `listen = ":8080"`, `"odd\nkey" = 1`, `config = "other"`, `message-rate = -1`,
			},
			args: []string{"--stall-timeout=-1s", "--handshakes-per-address=none"},
			env:  []string{"ROULETTE_MESSAGE_BURST=many", "ROULETTE_DRAIN_TIME=25h"},
			says: []string{
				`--handshakes-per-address: expected a valid 64 bit int but got "none"`,
				`FILE:2: ping-interval: wants a time with its unit, such as "25s"`,
				`FILE:3: max_connections: unknown key; max-connections is one`,
				`FILE:4: workers: wants a whole number`,
				`FILE:5: log-format: "xml" is not one of text, json`,
				`FILE:6: a.b: unknown key`,
				`FILE:9: max-message-size: "64 potatoes" is not a size such as 64KiB`,
				`FILE:10: listen: wants a list, such as ["…", "…"]`,
				`FILE:11: odd\nkey: unknown key`,
				`FILE:12: config: unknown key`,
				`ROULETTE_MESSAGE_BURST: expected a valid 64 bit int but got "many"`,
				`FILE:13: message-rate: -1 is negative`,
				`FILE:8: pong-timeout: 0s is not a time of 1ms at least`,
				`--stall-timeout: -1s is not a time of 1ms at least`,
				`ROULETTE_DRAIN_TIME: 25h0m0s is more than 24h0m0s`,
				`FILE:7: allowed-origins: "foo" is not an origin such as https://example.org`,
				`FILE:7: allowed-origins: "bar" is not an origin such as https://example.org`,
			},
		},
		{name: "what a higher source would hide", lines: []string{`workers = "two"`}, args: []string{"--workers=2"}, env: []string{"ROULETTE_WORKERS=2"},
			says: []string{`FILE:1: workers: wants a whole number`}},
		{name: "a key twice", lines: []string{`workers = 1`, ``, `workers = 1`}, says: []string{`FILE:3: workers: stands in line 1 already`}},
		{name: "a table", lines: []string{`workers = -1`, `[limits]`, `message-rate = "x"`},
			says: []string{`FILE:2: limits: there are no tables here`, `FILE:1: workers: -1 is negative`}},
		{name: "no TOML", lines: []string{`workers = -1`, `workers 3`}, says: []string{`FILE:2: `, `FILE:1: workers: -1 is negative`}},
		{name: "no value", lines: []string{``, `workers =`}, says: []string{`FILE:2: `}},
		{name: "not UTF-8", lines: []string{`workers = 1`, "admin = \"\xff\""}, says: []string{`FILE:2: not UTF-8`}},
		{name: "too long", lines: []string{long}, says: []string{`--config: FILE is longer than 64 KiB`}},
		{name: "no such file", args: []string{"--config=/no/such/file"}, says: []string{`--config: open /no/such/file: no such file or directory`}},
		{name: "no such file, by the environment", env: []string{"ROULETTE_CONFIG=/no/such/file"}, says: []string{`ROULETTE_CONFIG: open /no/such/file: no such file or directory`}},
		{name: "a directory", args: []string{"--config=/"}, says: []string{`--config: read /: is a directory`}},
		{name: "a rate without a burst", lines: []string{`message-burst = 0`}, says: []string{`FILE:1: message-burst: 0 lets nobody say anything, for there is a message-rate`}},
		{name: "an address for two", lines: []string{`admin = "127.0.0.1:1"`, `listen = ["127.0.0.1:1"]`}, says: []string{`FILE:1: admin: 127.0.0.1:1 is an address of listen already`}},
		{name: "no address", lines: []string{`listen = []`}, says: []string{`FILE:1: listen: no address`}},
		{name: "no port", lines: []string{`listen = ["127.0.0.1"]`}, says: []string{`FILE:1: listen: address 127.0.0.1: missing port in address`}},
		{name: "another type in the list", lines: []string{`listen = [1]`}, says: []string{`FILE:1: listen: wants a string`}},
		{name: "a time beyond all", lines: []string{`ping-interval = "300000h"`}, says: []string{`FILE:1: ping-interval: 300000h0m0s is more than 24h0m0s`}},
		{name: "a bus that is none, and what needs one", args: []string{"--cluster=http://127.0.0.1", "--cluster-tls-cert=x", "--cluster-world=a.b"},
			says: []string{`--cluster: "http://127.0.0.1": wants an address such as nats://10.0.0.5:4222`, `--cluster-tls-key: goes with --cluster-tls-cert: both, or none`,
				`--cluster-world: "a.b" is not up to 64 letters, digits, - and _`}},
		{name: "what is of no use alone", args: []string{"--cluster-credentials=x"}, says: []string{`--cluster-credentials: is of no use without --cluster`}},
		{name: "a message that does not go between nodes", args: []string{"--cluster=nats://127.0.0.1", "--max-message-size=1MiB"},
			says: []string{`--max-message-size: 1048576 is more than 524288, which is what goes between nodes`}},
		{name: "a moderator who is none", args: []string{"--safety=on", "--state-dir=/nowhere", "--moderators=age1nobody"},
			says: []string{`--moderators: "age1nobody" is not a recipient such as age1…, which age-keygen prints`}},
		{name: "moderators without a place for reports", args: []string{"--safety=on", "--moderators=age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"},
			says: []string{`--moderators: needs --state-dir, where reports are kept`}},
		{name: "an appeal to nowhere", args: []string{"--appeal=javascript:alert(1)"},
			says: []string{`--appeal: is no address such as mailto:appeals@example.org or https://example.org/appeals`}},
		{name: "moderators of nothing", args: []string{"--moderators=age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"},
			says: []string{`--moderators: is of no use with --safety off: nobody can report`}},
		{name: "a stall time that the kernel does not wait for", args: []string{"--stall-timeout=6m"}, says: []string{`--stall-timeout: 6m0s is more than 5m0s`}},
		{name: "a number beyond all", lines: []string{`workers = 99999999999999999999`}, says: []string{`FILE:1: workers: 99999999999999999999 is not a number of 64 bits`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args, says := tc.args, slices.Clone(tc.says)
			if tc.lines != nil {
				file := configFile(t, tc.lines...)
				args = append([]string{"--config", file}, args...)
				for i := range says {
					says[i] = strings.ReplaceAll(says[i], "FILE", file)
				}
			}
			serving := append([]string{"serve"}, args...)
			if !slices.ContainsFunc(tc.lines, func(l string) bool { return strings.HasPrefix(l, "listen") || strings.HasPrefix(l, "admin") }) {
				serving = append(serving, "--listen", taken.Addr().String(), "--admin", taken.Addr().String()[:len("127.0.0.")]+"2:0")
			}
			for _, args := range [][]string{append([]string{"check-config"}, args...), serving} {
				out, errs, code := said(t, tc.env, args...)
				if code != exitUsage {
					t.Errorf("%s: exit code %d, want %d", args[0], code, exitUsage)
				}
				got := strings.Split(strings.TrimSuffix(errs, "\n"), "\n")
				same := len(got) == len(says)
				for i := range min(len(got), len(says)) {
					same = same && strings.HasPrefix(got[i], "roulette: "+says[i])
				}
				if !same || out != "" {
					t.Errorf("%s says\n%s\nwant\n%s\n%s", args[0], strings.Join(got, "\n"), strings.Join(says, "\n"), out)
				}
			}
		})
	}
}

// otherwise are the settings that change while the server runs and that
// server.Settings does not have.
var otherwise = []string{"drain-time", "drain-grace", "log-level"}

// with is a command line with one more flag than prerequisites.
func with(flag, value string) []string {
	args := append(slices.Clone(prerequisites), "--"+flag+"="+value)
	switch flag { // of which there are as many
	case "tls-cert":
		args = append(args, "--tls-key=7")
	case "tls-key":
		args = append(args, "--tls-cert=7")
	case "cluster-tls-cert":
		args = append(args, "--cluster-tls-key=7")
	case "cluster-tls-key":
		args = append(args, "--cluster-tls-cert=7")
	}
	return args
}

// prerequisites are what some settings want of others.
var prerequisites = []string{
	"serve", "--trusted-proxies=198.51.100.0/24", "--listen-tls=127.0.0.1:7443", "--tls-self-signed", "--state-dir=/nowhere",
	"--cluster=nats://127.0.0.1:4222", "--safety=on",
}

// another is a value of a setting that is right and not the default.
func another(f *kong.Flag) string {
	if f.Enum != "" {
		for _, e := range f.EnumSlice() {
			if e != f.Default {
				return e
			}
		}
	}
	for _, v := range []string{"7s", "7", "7KiB", "warn", "true", "false", "0.07", "127.0.0.1:7", "https://example.org", "192.0.2.0/24", "/chat/", "chat.example.org", "nats://127.0.0.1:7", "observe", "apart", "always", "config_test.go", "../../.gitignore",
		"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"} {
		call, mistakes := read(with(f.Name, v), os.Stdout, os.Stderr)
		if len(mistakes) > 0 {
			continue
		}
		for _, other := range config.Settings(call.ctx.Selected()) {
			if other.Name == f.Name && config.Line(other) != config.Line(f) {
				return v
			}
		}
	}
	return ""
}

// TestLiveSettingsAreThoseThatApply: a setting has the tag live if, and only if, it reaches what Apply
// changes.
func TestLiveSettingsAreThoseThatApply(t *testing.T) {
	call, mistakes := read(prerequisites, os.Stdout, os.Stderr)
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	before := call.settings.settings()
	for _, f := range settingsOf(t) {
		v := another(f)
		if v == "" {
			t.Errorf("--%s: no other value is known", f.Name)
			continue
		}
		call, mistakes := read(with(f.Name, v), os.Stdout, os.Stderr)
		if len(mistakes) > 0 {
			t.Fatal(mistakes)
		}
		applied := !reflect.DeepEqual(before, call.settings.settings()) || slices.Contains(otherwise, f.Name)
		if live := f.Tag.Has("live"); live != applied {
			t.Errorf("--%s: live is %v, but that it is applied is %v", f.Name, live, applied)
		}
	}
}

// exampleFile is a file with all settings at their defaults, as comments.
func exampleFile(flags []*kong.Flag) string {
	var b strings.Builder
	b.WriteString(`# The settings of roulette serve, each with its default: take off the "# " in
# front of those that should be different. Flags and the environment stand above
# this file. Check it with roulette check-config --config FILE.
#
# SIGHUP reads it again. What is marked with * then changes while the server runs;
# the rest says in the log that it needs a restart.
`)
	group := ""
	for _, f := range flags {
		if g := f.Group.Title; g != group {
			group = g
			fmt.Fprintf(&b, "\n\n## %s\n", g)
		}
		mark := ""
		if f.Tag.Has("live") {
			mark = " *"
		}
		b.WriteString("\n")
		for _, line := range wrap(helpOf(f)+mark, 78) {
			fmt.Fprintf(&b, "# %s\n", line)
		}
		fmt.Fprintf(&b, "# %s\n", config.Line(f))
	}
	return b.String()
}

var defaultInHelp = regexp.MustCompile(` \(default [^)]*\)`)

// helpOf is what the help says, without the default.
func helpOf(f *kong.Flag) string { return defaultInHelp.ReplaceAllString(f.Help, "") }

// wrap breaks text into lines of no more than width.
func wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

const examplePath = "deploy/roulette.toml"

func TestExampleFile(t *testing.T) {
	want := exampleFile(settingsOf(t))
	if *update {
		if err := os.WriteFile(examplePath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the flags say; go test -run TestExampleFile -update writes it", examplePath)
	}
	// With nothing commented out it says the same.
	assignment := regexp.MustCompile(`(?m)^# ([a-z-]+ = )`)
	file := configFile(t, assignment.ReplaceAllString(want, "$1"))
	plain, _ := read([]string{"serve"}, os.Stdout, os.Stderr)
	call, mistakes := read([]string{"serve", "--config", file}, os.Stdout, os.Stderr)
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	for _, f := range config.Settings(call.ctx.Selected()) {
		if !strings.Contains(want, "\n# "+f.Name+" = ") && f.Name != "config" {
			t.Errorf("no %s", f.Name)
		}
	}
	if changes := plain.values.Take(call.values); len(changes) > 0 {
		t.Errorf("the defaults are others: %v", changes)
	}
}

// flagTable is the list of all settings in docs/configure.md.
func flagTable(flags []*kong.Flag) string {
	var b strings.Builder
	b.WriteString("| flag, and key in the file | environment | default | |\n|---|---|---|---|\n")
	for _, f := range flags {
		value := f.Default
		if value != "" {
			value = "`" + value + "`"
		}
		mark := ""
		if f.Tag.Has("live") {
			mark = " \\*"
		}
		fmt.Fprintf(&b, "| `--%s`%s | `%s` | %s | %s |\n", f.Name, mark, f.Envs[0], value, helpOf(f))
	}
	return b.String()
}

func TestDocumentedFlags(t *testing.T) {
	page, err := os.ReadFile("docs/configure.md")
	if err != nil {
		t.Fatal(err)
	}
	table := flagTable(settingsOf(t))
	if *update { // in place of the one that is there
		begin := strings.Index(string(page), table[:strings.Index(table, "\n")])
		end := begin + strings.Index(string(page)[begin:], "\n\n") + 1
		page = slices.Concat(page[:begin], []byte(table), page[end:])
		if err := os.WriteFile("docs/configure.md", page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(string(page), table) {
		t.Errorf("the table in docs/configure.md is not what the flags say; go test -run TestDocumentedFlags -update writes it")
	}
}

// FuzzConfig: whatever stands in the file, it is taken or refused in good order;
// and what is taken reads, printed, as the same.
func FuzzConfig(f *testing.F) {
	example, err := os.ReadFile(examplePath)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte("listen = [':1', \"[::1]:0\",]\nping-interval = '1h2m3.5s'\nmax-message-size = 0x1_000\n"))
	f.Add([]byte("allowed-origins = ['*', \"https://a\\u002cb\"]\nlog-level = 'warn+2'\n"))
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "ROULETTE_") {
			f.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, fmt.Sprintf("%d.toml", os.Getpid()))
		check := func(data []byte) (call, []error) {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			return read([]string{"check-config", "--config", path}, os.Stdout, os.Stderr)
		}
		first, mistakes := check(data)
		for _, m := range mistakes {
			if strings.ContainsFunc(m.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("not a line to print: %q", m)
			}
		}
		if len(mistakes) > 0 {
			return
		}
		var printed strings.Builder
		if err := first.values.WriteTOML(&printed); err != nil {
			t.Fatal(err)
		}
		second, mistakes := check([]byte(printed.String()))
		if len(mistakes) > 0 {
			t.Fatalf("%v in what was printed:\n%s", mistakes, printed.String())
		}
		if changes := first.values.Take(second.values); len(changes) > 0 {
			t.Errorf("%v is different in what was printed:\n%s", changes, printed.String())
		}
	})
}
