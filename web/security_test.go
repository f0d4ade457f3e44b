package web_test

import (
	"strings"
	"testing"
)

func checkSecurityHeaders(t *testing.T, got response) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options":     "nosniff",
		"Referrer-Policy":            "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin",
	} {
		if value := got.header.Get(name); value != want {
			t.Errorf("status %d: %s is %q, want %q", got.status, name, value, want)
		}
	}
	if policy := got.header.Get("Permissions-Policy"); !strings.Contains(policy, "camera=()") {
		t.Errorf("status %d: Permissions-Policy is %q", got.status, policy)
	}
	policy := directives(got)
	for _, name := range []string{"script-src", "style-src"} {
		for i, source := range strings.Fields(policy[name]) {
			if hash := strings.HasPrefix(source, "'sha256-"); hash != (i > 0) || !hash && source != "'self'" {
				t.Errorf("status %d: %s is %q, want 'self' and hashes", got.status, name, policy[name])
			}
		}
	}
	for name, want := range map[string]string{
		"default-src":     "'none'",
		"img-src":         "'self' data: blob:",
		"base-uri":        "'none'",
		"form-action":     "'none'",
		"frame-ancestors": "'none'",
	} {
		if policy[name] != want {
			t.Errorf("status %d: %s is %q, want %q", got.status, name, policy[name], want)
		}
	}
}

// directives takes the policy of got apart.
func directives(got response) map[string]string {
	policy := make(map[string]string)
	for directive := range strings.SplitSeq(got.header.Get("Content-Security-Policy"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
		policy[name] = value
	}
	return policy
}

func TestPolicyNamesOwnSocketsOnly(t *testing.T) {
	server := serve(t)
	for _, test := range []struct {
		description, host, connect string
	}{
		{"a name", "chat.example", "'self' ws://chat.example wss://chat.example"},
		{"a name and a port", "chat.example:8080", "'self' ws://chat.example:8080 wss://chat.example:8080"},
		{"an IPv4 address", "192.0.2.1:80", "'self' ws://192.0.2.1:80 wss://192.0.2.1:80"},
		{"an IPv6 address cannot be written", "[::1]:8080", "'self'"},
		{"a directive of its own", "x;script-src", "'self'"},
		{"a source of its own", "x,*", "'self'"},
		{"a wildcard", "*", "'self'"},
		{"a path", "x/y", "'self'"},
	} {
		got := ask(t, server, "GET", "/", "Host", test.host)
		if got.status == 400 { // net/http itself refused it
			continue
		}
		if connect := directives(got)["connect-src"]; connect != test.connect {
			t.Errorf("%s: Host %q: connect-src %q, want %q", test.description, test.host, connect, test.connect)
		}
		checkSecurityHeaders(t, got)
	}
}
