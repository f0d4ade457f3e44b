package handshake

import (
	"strings"
	"testing"
)

func TestOrigins(t *testing.T) {
	tests := []struct {
		desc    string
		allowed []string
		host    string
		origin  string // "-": none
		ok      bool
	}{
		{"no Origin", nil, "example.org", "-", true},
		{"no Origin, with a list", []string{"https://example.com"}, "example.org", "-", true},
		{"same host", nil, "example.org", "http://example.org", true},
		{"same host, TLS taken off by a proxy", nil, "example.org", "https://example.org", true},
		{"same host and port", nil, "localhost:8080", "http://localhost:8080", true},
		{"other cases", nil, "Example.ORG", "HTTP://eXample.org", true},
		{"default port in Host", nil, "example.org:80", "http://example.org", true},
		{"default port in Origin", nil, "example.org", "http://example.org:80", true},
		{"default port of https", nil, "example.org:443", "https://example.org", true},
		{"empty port", nil, "example.org:", "http://example.org", true},
		{"IPv6", nil, "[::1]:8080", "http://[::1]:8080", true},
		{"IPv6, nearly none", nil, "[::]", "http://[::]", true},
		{"IPv6 that ends in IPv4", nil, "[::ffff:192.0.2.1]", "http://[::ffff:192.0.2.1]", true},
		{"longer than 32 bytes", nil, strings.Repeat("a", 60) + ".example.org", "https://" + strings.Repeat("A", 60) + ".example.org", true},

		{"other host", nil, "example.org", "http://example.com", false},
		{"other port", nil, "localhost:8080", "http://localhost:8081", false},
		{"no port against a port", nil, "localhost:8080", "http://localhost", false},
		{"port of the other scheme", nil, "example.org:80", "https://example.org", false},
		{"subdomain", nil, "example.org", "http://a.example.org", false},
		{"parent domain", nil, "a.example.org", "http://example.org", false},
		{"name that ends in ours", nil, "example.org", "http://notexample.org", false},
		{"name that begins with ours", nil, "example.org", "http://example.org.evil.net", false},
		{"user that looks like ours", nil, "example.org", "http://example.org@evil.net", false},
		{"path that looks like ours", nil, "example.org", "http://evil.net/example.org", false},
		{"path behind ours", nil, "example.org", "http://example.org/", false},
		{"no scheme", nil, "example.org", "example.org", false},
		{"empty scheme", nil, "example.org", "://example.org", false},
		{"scheme that begins with a digit", nil, "example.org", "0://example.org", false},
		{"scheme with an underscore", nil, "example.org", "my_app://example.org", false},
		{"scheme with all that it may have", nil, "example.org", "a1+-.://example.org", true},
		{"null", nil, "example.org", "null", false},
		{"list of two", nil, "example.org", "http://evil.net http://example.org", false},
		{"Kelvin sign for k", nil, "k.example.org", "http://\u212a.example.org", false},
		{"unknown scheme has no default port", nil, "example.org:80", "ext://example.org", false},

		{"on the list", []string{"https://a.org", "https://b.org:8443"}, "c.org", "https://b.org:8443", true},
		{"on the list, default port", []string{"https://a.org:443"}, "c.org", "https://A.org", true},
		{"on the list, a scheme of an extension", []string{"chrome-extension://abcdef"}, "c.org", "chrome-extension://abcdef", true},
		{"not on the list", []string{"https://a.org"}, "c.org", "https://d.org", false},
		{"other scheme than on the list", []string{"https://a.org"}, "c.org", "http://a.org", false},
		{"same host, but not on the list", []string{"https://a.org"}, "c.org", "https://c.org", false},
		{"null, with a list", []string{"https://a.org"}, "c.org", "null", false},
		{"everyone", []string{"*"}, "c.org", "https://evil.net", true},
		{"everyone, null", []string{"https://a.org", "*"}, "c.org", "null", true},

		{"null, named", []string{"https://a.org", "null"}, "c.org", "null", true},
		{"null alone is named, and so the same host is not", []string{"null"}, "c.org", "https://c.org", false},
		{"null in capitals", []string{"null"}, "c.org", "NULL", false},
		{"below a name", []string{"https://*.a.org"}, "c.org", "https://b.a.org", true},
		{"two labels below a name", []string{"https://*.a.org"}, "c.org", "https://c.b.a.org", true},
		{"below a name, other cases", []string{"https://*.A.org"}, "c.org", "https://B.a.ORG", true},
		{"below a name, with a port", []string{"https://*.a.org:8443"}, "c.org", "https://b.a.org:8443", true},
		{"the name itself", []string{"https://*.a.org"}, "c.org", "https://a.org", false},
		{"a name that ends in ours", []string{"https://*.a.org"}, "c.org", "https://ba.org", false},
		{"below a name, other port", []string{"https://*.a.org"}, "c.org", "https://b.a.org:8443", false},
		{"below a name, other scheme", []string{"https://*.a.org"}, "c.org", "http://b.a.org", false},
		{"below a name, no label", []string{"https://*.a.org"}, "c.org", "https://.a.org", false},
		{"below a name, an empty label", []string{"https://*.a.org"}, "c.org", "https://b..a.org", false},
		{"below a name, and more behind", []string{"https://*.a.org"}, "c.org", "https://b.a.org.evil.net", false},
		{"below a name, a user", []string{"https://*.a.org"}, "c.org", "https://evil.net@b.a.org", false},
		{"the asterisk itself", []string{"https://*.a.org"}, "c.org", "https://*.a.org", false},
	}
	for _, tt := range tests {
		t.Run(tt.desc, func(t *testing.T) {
			head := strings.Replace(good, "Host: example.org", "Host: "+tt.host, 1)
			line := "Origin: " + tt.origin + "\r\n"
			if tt.origin == "-" {
				line = ""
			}
			head = strings.Replace(head, "Origin: http://example.org\r\n", line, 1)
			want := OK
			if !tt.ok {
				want = BadOrigin
			}
			if _, _, res := newUpgrader(t, tt.allowed...).Upgrade(nil, []byte(head)); res != want {
				t.Errorf("%v, want %v", res, want)
			}
		})
	}
}

// With an absolute target it is that host which counts.
func TestOriginOfAbsoluteTarget(t *testing.T) {
	head := strings.Replace(good, "/ws HTTP/1.1\r\nHost: example.org", "http://a.org/ws HTTP/1.1\r\nHost: example.org", 1)
	if _, _, res := newUpgrader(t).Upgrade(nil, []byte(head)); res != BadOrigin {
		t.Errorf("%v, want %v", res, BadOrigin)
	}
}

// TestAllowedOrigins: an asterisk is all of one label or more, at the beginning, above
// a name that somebody can own.
func TestAllowedOrigins(t *testing.T) {
	for entry, ok := range map[string]bool{
		"https://*.example.org": true, "https://*.example.org:8443": true, "null": true, "*": true,
		"https://*": false, "https://*.org": false, "https://*.": false, "https://*.*.org": false,
		"https://a.*.org": false, "https://a*.example.org": false, "https://*example.org": false,
		"*.example.org": false, "https://*..example.org": false, "https://*.[::1]": false, "Null": false, "": false,
	} {
		if _, err := New(Config{AllowedOrigins: []string{entry}}); (err == nil) != ok {
			t.Errorf("%q: %v", entry, err)
		}
	}
}
