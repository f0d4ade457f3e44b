package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/safety"
)

// banned remembers what it is asked for.
type banned struct {
	safety.Bans
	full error
}

func (b *banned) Ban(networks []netip.Prefix, lasts time.Duration, reason, by string) error {
	if b.full != nil {
		return b.full
	}
	now := time.Now()
	return b.Bans.Ban(networks, now.Add(lasts), reason, by, now)
}

func (b *banned) Unban(networks []netip.Prefix, by string) (int, error) {
	return b.Lift(networks, by, time.Now())
}

// side is an admin side with bans.
type side struct{ *banned }

// Bans implements [Bans].
func (s side) Bans() ([]safety.Ban, bool) { return s.All(time.Now()), s.Lasting() }

// Decide and People are those of [Bans].
func (s side) Decide(v safety.Verdict) error { return s.banned.Decide(v, time.Now()) }
func (s side) People() []safety.PersonBan    { return s.banned.People(time.Now()) }

// TestBans: orders are obeyed, logged and answered for a person; mistakes change
// nothing.
func TestBans(t *testing.T) {
	var out strings.Builder
	log := newLog(&out, 0)
	b := &banned{}
	told := ""
	h := NewHandler(Config{Report: func() *Report { return &Report{} }, Metrics: http.NotFoundHandler(), Log: log, Bans: side{b},
		Announce: func(code string, in time.Duration) error {
			if code == "wrong" {
				return errors.New("no such code")
			}
			told += fmt.Sprint(code, in, " ")
			return nil
		}})
	do := func(path, body string) (int, string) {
		r := httptest.NewRequest("POST", "http://localhost"+path, strings.NewReader(body))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for _, tc := range []struct {
		path, body string
		status     int
		says       string
		after      int // networks banned
	}{
		{"/ban?for=1h", "", 400, "no network", 0},
		{"/ban?for=1h", "# nobody\n\n", 400, "no network", 0},
		{"/ban", "192.0.2.0/24", 400, "for is not a time", 0},
		{"/ban?for=-1h", "192.0.2.0/24", 400, "ends in the future", 0},
		{"/ban?for=9999h", "192.0.2.0/24", 400, "366 days", 0},
		{"/ban?for=1h&reason=" + strings.Repeat("x", 300), "192.0.2.0/24", 400, "reason", 0},
		{"/ban?for=1h", "192.0.2.0/24\nexample.org\n", 400, "line 2: \"example.org\"", 0},
		{"/ban?for=1h", strings.Repeat("x", 1<<20), 413, "cannot be read", 0},
		{"/ban?for=1h&reason=why", "192.0.2.7 # him\r\n\n 2001:db8::1\n", 200, "2 networks are banned until", 2},
		{"/ban?for=1h", "192.0.2.7", 200, "192.0.2.7/32 is banned until", 2},
		{"/unban", "198.51.100.0/24", 404, "none of these", 2},
		{"/unban", "192.0.2.0/24", 404, "they are part of", 2},
		{"/unban", "192.0.2.7\n198.51.100.0/24", 200, "1 lifted", 1},
		{"/notice?code=restart&in=5m", "", 200, "told everybody", 1},
		{"/notice?code=none", "", 200, "told everybody", 1},
		{"/notice?code=restart&in=25h", "", 400, "up to 24h", 1},
		{"/notice?code=restart", "", 400, "in is not a time", 1},
		{"/notice?code=wrong&in=5m", "", 400, "no such code", 1},
	} {
		status, says := do(tc.path, tc.body)
		if status != tc.status || !strings.Contains(says, tc.says) || len(says) > 200 || b.InForce() != tc.after {
			t.Errorf("%.40s, %.40q: %d %q, %d banned", tc.path, tc.body, status, says, b.InForce())
		}
	}
	if told != "restart5m0s none0s " {
		t.Errorf("told %q", told)
	}
	b.full = errors.New("decision not written: no space left on device")
	if status, says := do("/ban?for=1h", "203.0.113.0/24"); status != 500 || !strings.Contains(says, "no space") || b.InForce() != 1 {
		t.Errorf("a full disk: %d %q", status, says)
	}
	if w := ask(h, "GET", "http://localhost/bans"); w.Code != 200 || !strings.HasPrefix(w.Body.String(), `{"network":"2001:db8::/64","until":`) || strings.Count(w.Body.String(), "\n") != 1 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, line := range []string{`networks="192.0.2.7/32 2001:db8::/64" for=1h0m0s reason=why by=192.0.2.1`, "bans lifted", "people told"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in the log:\n%s", line, out.String())
		}
	}
	if w := ask(h, "POST", "http://localhost/ban?for=1h", "Sec-Fetch-Site: cross-site", "Origin: https://evil.example"); w.Code != http.StatusForbidden {
		t.Errorf("a page of another site: %d", w.Code)
	}
}
