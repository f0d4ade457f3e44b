package admin

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/safety"
)

// tray is an inbox with one report.
type tray struct{}

const filedID = "0069a7bb2f-00112233445566ff"

func (tray) All() []safety.Filed {
	return []safety.Filed{{ID: filedID, At: time.Unix(1, 0).UTC(), Size: 9}}
}
func (tray) Has(id string) bool { return id == filedID }
func (tray) Open(id string) (io.ReadCloser, error) {
	if id != filedID {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(strings.NewReader("encrypted")), nil
}

// TestModeration: reports are listed and sent as they are, verdicts obeyed and logged,
// and mistakes change nothing.
func TestModeration(t *testing.T) {
	var out strings.Builder
	b := &banned{}
	h := NewHandler(Config{Report: func() *Report { return &Report{} }, Metrics: http.NotFoundHandler(), Log: newLog(&out, 0), Bans: side{b}, Inbox: tray{}})
	const someone, another = "01000000000000000000000000000000", "02000000000000000000000000000000"
	do := func(method, path, body string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body)))
		return w.Code, w.Body.String()
	}
	for _, tc := range []struct {
		method, path, body string
		status             int
		says               string
		after              int // people about whom something is decided
	}{
		{"GET", "/reports", "", 200, `{"id":"` + filedID + `","at":"1970-01-01T00:00:01Z","size":9}` + "\n", 0},
		{"GET", "/reports/" + filedID, "", 200, "encrypted", 0},
		{"GET", "/reports/nothing", "", 404, "no such report", 0},
		{"GET", "/reports/..%2fdecisions.log", "", 404, "no such report", 0},
		{"POST", "/decide?do=ban&for=1h&report=nothing", someone, 404, "no such report", 0},
		{"POST", "/decide?do=ban&report=" + filedID, someone, 400, "ends in the future", 0},
		{"POST", "/decide?do=ban&for=soon", someone, 400, "for is not a time", 0},
		{"POST", "/decide?do=hang&for=1h", someone, 400, "nobody is named", 0},
		{"POST", "/decide?do=ban&for=1h", "192.0.2.0/24", 400, "about people", 0},
		{"POST", "/decide?do=ban&for=1h", "x" + someone[1:], 400, "line 1", 0},
		{"POST", "/decide?do=ban&for=1h", "80" + someone[2:], 400, "without a cookie", 0},
		{"POST", "/decide?do=ban&for=1h", strings.Repeat("0", 32), 400, "nobody", 0},
		{"POST", "/decide?do=ban&for=1h&report=" + filedID, someone, 200, "decided, until the server stops", 1},
		{"GET", "/reports", "", 200, `"decided":"ban"`, 1},
		{"GET", "/people", "", 200, `{"person":"` + someone + `","do":"ban"`, 1},
		{"POST", "/decide?do=undo&report=" + filedID, "", 200, "decided", 0},
		{"POST", "/decide?do=shadow&for=1h", someone + " # him\n" + another, 200, "decided", 2},
		{"POST", "/unban", another, 200, "1 lifted", 1},
		{"POST", "/unban", another, 404, "none of these", 1},
		{"POST", "/ban?for=1h", another + "\n192.0.2.0/24", 200, "1 networks and 1 people are banned", 2},
		{"POST", "/ban?for=1h", another, 200, another + " is banned", 2},
	} {
		status, says := do(tc.method, tc.path, tc.body)
		if people := len(side{b}.People()); status != tc.status || !strings.Contains(says, tc.says) || people != tc.after {
			t.Errorf("%s %s, %q: %d %q, %d people", tc.method, tc.path, tc.body, status, says, people)
		}
	}
	for _, line := range []string{"msg=decided do=ban people=1", "networks=192.0.2.0/24 people=1"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in the log:\n%s", line, out.String())
		}
	}
	if strings.Contains(out.String(), someone) || strings.Contains(out.String(), another) {
		t.Error("the log names people")
	}
	if w := ask(h, "GET", "http://localhost/"); !strings.Contains(w.Body.String(), "roulette moderate") {
		t.Error("the list of pages has no reports")
	}
	if w := ask(h, "POST", "http://localhost/decide?do=ban&for=1h", "Sec-Fetch-Site: cross-site", "Origin: https://evil.example"); w.Code != http.StatusForbidden {
		t.Errorf("a page of another site: %d", w.Code)
	}
}
