package admin

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// everybody is a handler whose pages are all there.
func everybody(hosts ...string) http.Handler {
	var out strings.Builder
	return NewHandler(Config{
		Unresponsive: func() []int { return nil },
		NotReady:     func() string { return "" },
		Report:       func() *Report { return &Report{State: "ready"} },
		Metrics:      http.NotFoundHandler(),
		Log:          newLog(&out, 0),
		Hosts:        hosts,
	})
}

// ask makes a request with headers "Name: value".
func ask(h http.Handler, method, url string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, strings.NewReader("debug"))
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHosts(t *testing.T) {
	h := everybody("admin.example.org")
	for host, known := range map[string]bool{
		"127.0.0.1":                              true,
		"127.0.0.1:8081":                         true,
		"10.1.2.3:80":                            true,
		"[::1]:8081":                             true,
		"[fe80::1]":                              true,
		"localhost:8081":                         true,
		"LOCALHOST.":                             true,
		"roulette:8081":                          true, // a container
		"a.localhost":                            true,
		"roulette.chat.svc":                      true,
		"roulette.chat.svc.cluster.local":        true,
		"box.local":                              true,
		"ip-10-0-0-1.eu-west-1.compute.internal": true,
		"admin.example.org:8081":                 true,
		"Admin.Example.org":                      true,
		"example.org":                            false,
		"evil.admin.example.org":                 false,
		"admin.example.org.evil.example":         false,
		"127.0.0.1.evil.example":                 false,
		"localhost.evil.example:8081":            false,
		"evil.example":                           false,
		"evil.example.":                          false,
		"local.evil":                             false,
		"xn--localhost.example":                  false,
		"a" + strings.Repeat("b", 2000) + ".local.x": false,
	} {
		for _, path := range []string{"/", "/statusz", "/statusz.json", "/loglevel", "/debug/pprof/cmdline", "/admin.js", "/nothing"} {
			w := ask(h, "GET", "http://"+host+path)
			if refused := w.Code == http.StatusMisdirectedRequest; refused == known || len(w.Body.String()) > 1000 && refused {
				t.Errorf("%s as %.40s: %d", path, host, w.Code)
			}
		}
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			if w := ask(h, "GET", "http://"+host+path); w.Code == http.StatusMisdirectedRequest {
				t.Errorf("%s as %.40s: %d", path, host, w.Code)
			}
		}
	}
}

func TestForeignPages(t *testing.T) {
	const (
		self      = "http://127.0.0.1:8081"
		script    = "Sec-Fetch-Mode: cors"
		picture   = "Sec-Fetch-Mode: no-cors"
		navigate  = "Sec-Fetch-Mode: navigate"
		document  = "Sec-Fetch-Dest: document"
		frame     = "Sec-Fetch-Dest: iframe"
		crossSite = "Sec-Fetch-Site: cross-site"
		sameSite  = "Sec-Fetch-Site: same-site"
	)
	for _, tc := range []struct {
		desc, method, path string
		headers            []string
		passes             bool
	}{
		{"curl", "GET", "/statusz", nil, true},
		{"curl changes the level", "PUT", "/loglevel", nil, true},
		{"typed into the address bar", "GET", "/statusz", []string{"Sec-Fetch-Site: none", navigate, document}, true},
		{"the page's own script", "GET", "/statusz", []string{"Sec-Fetch-Site: same-origin", script}, true},
		{"the page's own form", "POST", "/loglevel", []string{"Sec-Fetch-Site: same-origin", navigate, document, "Origin: " + self}, true},
		{"the page's own form, an old browser", "POST", "/loglevel", []string{"Origin: " + self}, true},
		{"a link in a runbook", "GET", "/statusz", []string{crossSite, navigate, document}, true},
		{"a link to a profile", "GET", "/debug/pprof/profile", []string{crossSite, navigate, document}, false},
		{"a frame", "GET", "/statusz", []string{crossSite, navigate, frame}, false},
		{"a picture of a profile", "GET", "/debug/pprof/profile", []string{crossSite, picture}, false},
		{"a script", "GET", "/statusz.json", []string{crossSite, script, "Origin: https://evil.example"}, false},
		{"a script of another port", "GET", "/statusz.json", []string{sameSite, script, "Origin: http://127.0.0.1:8080"}, false},
		{"a form", "POST", "/loglevel", []string{crossSite, navigate, document, "Origin: https://evil.example"}, false},
		{"a form in an old browser", "POST", "/loglevel", []string{"Origin: https://evil.example"}, false},
		{"a form of another port in an old browser", "POST", "/loglevel", []string{"Origin: http://127.0.0.1:8080"}, false},
		{"a form of a page without an origin", "POST", "/loglevel", []string{"Origin: null"}, false},
		{"PUT by a script", "PUT", "/loglevel", []string{crossSite, script, "Origin: https://evil.example"}, false},
		{"no origin at all", "PUT", "/loglevel", []string{"Origin: %zz"}, false},
		{"what a browser does not know yet", "GET", "/statusz", []string{"Sec-Fetch-Site: galactic", script}, false},
	} {
		h := everybody()
		w := ask(h, tc.method, self+tc.path, tc.headers...)
		if passed := w.Code != http.StatusForbidden; passed != tc.passes {
			t.Errorf("%s: %d", tc.desc, w.Code)
		}
		if level := strings.TrimSpace(ask(h, "GET", self+"/loglevel").Body.String()); !tc.passes && level != "info" {
			t.Errorf("%s: the level is %s", tc.desc, level)
		}
	}
}
