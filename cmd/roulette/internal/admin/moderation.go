package admin

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"roulette/cmd/roulette/internal/safety"
)

// Inbox is where reports wait for moderators. Any goroutine.
type Inbox interface {
	All() []safety.Filed
	Has(id string) bool
	Open(id string) (io.ReadCloser, error) // encrypted, as it is in the file
}

// Filed is a report as moderators list it before they have opened it.
type Filed struct {
	safety.Filed
	Decided string `json:"decided,omitempty"` // what, if anything
}

// getReports lists the reports, one a line.
func (h handler) getReports(w http.ResponseWriter, _ *http.Request) {
	all := h.Inbox.All()
	lines(w, len(all), func(e *json.Encoder, i int) error {
		return e.Encode(Filed{all[i], h.Bans.Decided(all[i].ID)})
	})
}

// getReport sends one, which nobody can read but the moderators.
func (h handler) getReport(w http.ResponseWriter, r *http.Request) {
	f, err := h.Inbox.Open(r.PathValue("id"))
	if errors.Is(err, fs.ErrNotExist) {
		answer(w, http.StatusNotFound, "no such report; they go after thirty days")
		return
	}
	if err != nil {
		answer(w, http.StatusInternalServerError, err.Error())
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.Copy(w, f) // who asked is gone if this fails
}

// getPeople lists those about whom something is decided, one a line.
func (h handler) getPeople(w http.ResponseWriter, _ *http.Request) {
	all := h.Bans.People()
	lines(w, len(all), func(e *json.Encoder, i int) error { return e.Encode(all[i]) })
}

// postDecide puts a moderator's verdict in force, about the people of the body, one a
// line.
func (h handler) postDecide(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	v := safety.Verdict{Do: query.Get("do"), Report: query.Get("report"), Reason: query.Get("reason"), By: operator(r)}
	if text := query.Get("for"); text != "" {
		var err error
		if v.Lasts, err = time.ParseDuration(text); err != nil {
			answer(w, http.StatusBadRequest, "for is not a time such as 24h")
			return
		}
	}
	if v.Report != "" && (h.Inbox == nil || !h.Inbox.Has(v.Report)) {
		answer(w, http.StatusNotFound, "no such report; they go after thirty days")
		return
	}
	networks, people, ok := readWho(w, r)
	if !ok {
		return
	}
	if len(networks) > 0 {
		answer(w, http.StatusBadRequest, "a verdict is about people; roulette ban bans networks")
		return
	}
	v.People = people
	if err := h.Bans.Decide(v); err != nil {
		refuseDecision(w, err)
		return
	}
	h.act(r, "decided", "do", v.Do, "people", len(v.People), "for", v.Lasts, "report", v.Report, "reason", v.Reason)
	text := "decided"
	if _, lasting := h.Bans.Bans(); !lasting {
		text += ", until the server stops, for it has no --state-dir"
	}
	answer(w, http.StatusOK, text)
}

// lines writes n lines of JSON.
func lines(w http.ResponseWriter, n int, write func(e *json.Encoder, i int) error) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	out := bufio.NewWriter(w)
	e := json.NewEncoder(out)
	for i := range n {
		_ = write(e, i) // who asked is gone if this fails
	}
	_ = out.Flush() // likewise
}

// readWho reads the body of a request, a network or a person a line. False: the request
// is answered.
func readWho(w http.ResponseWriter, r *http.Request) (networks []netip.Prefix, people []safety.Person, ok bool) {
	scanner := bufio.NewScanner(http.MaxBytesReader(w, r.Body, maxBansBody))
	for n := 1; scanner.Scan(); n++ {
		text, _, _ := strings.Cut(scanner.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		network, person, err := safety.ParseWho(text)
		switch {
		case err != nil:
			answer(w, http.StatusBadRequest, fmt.Sprintf("line %d: %v", n, err))
			return nil, nil, false
		case person.Known():
			people = append(people, person)
		default:
			networks = append(networks, network)
		}
	}
	if err := scanner.Err(); err != nil {
		answer(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a list cannot be read: %v", err))
		return nil, nil, false
	}
	return networks, people, true
}
