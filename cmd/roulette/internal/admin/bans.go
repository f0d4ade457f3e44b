package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"roulette/cmd/roulette/internal/safety"
)

// Bans is who may ban networks and people. Any goroutine.
type Bans interface {
	Ban(networks []netip.Prefix, lasts time.Duration, reason, by string) error
	Unban(networks []netip.Prefix, by string) (n int, err error)
	// Bans are those in force; lasting: they outlive the process.
	Bans() (all []safety.Ban, lasting bool)

	Decide(v safety.Verdict) error
	// People are those about whom something is decided and goes on.
	People() []safety.PersonBan
	// Decided is what was decided about a report; empty: nothing.
	Decided(report string) string
}

// Bounds of a request about bans: of a list of all networks that there may be, and of
// how many of them stand in the log.
const (
	maxBansBody   = safety.MaxNetworks * 44
	networksInLog = 5
)

// getBans lists the bans in force, for scripts and for roulette bans.
func (h handler) getBans(w http.ResponseWriter, _ *http.Request) {
	all, _ := h.Bans.Bans()
	lines(w, len(all), func(e *json.Encoder, i int) error { return e.Encode(&all[i]) })
}

// postBan bans the networks and people of the body, one a line, for a while, and a
// reason that is for operators.
func (h handler) postBan(w http.ResponseWriter, r *http.Request) {
	lasts, err := time.ParseDuration(r.URL.Query().Get("for"))
	if err != nil {
		answer(w, http.StatusBadRequest, "for is not a time such as 24h")
		return
	}
	networks, people, ok := readWho(w, r)
	if !ok {
		return
	}
	reason := r.URL.Query().Get("reason")
	if len(people) > 0 {
		err = h.Bans.Decide(safety.Verdict{Do: "ban", People: people, Lasts: lasts, Reason: reason, By: operator(r)})
	}
	if err == nil && (len(networks) > 0 || len(people) == 0) {
		err = h.Bans.Ban(networks, lasts, reason, operator(r))
	}
	if err != nil {
		refuseDecision(w, err)
		return
	}
	h.act(r, "banned", about(networks, people, "for", lasts, "reason", reason)...)
	text := fmt.Sprintf("%s banned until %s", whoIs(networks, people), time.Now().Add(lasts).Format("2006-01-02 15:04:05"))
	if _, lasting := h.Bans.Bans(); !lasting {
		text += ", or until the server stops, for it has no --state-dir"
	}
	answer(w, http.StatusOK, text)
}

// whoIs are those who are banned, in a sentence.
func whoIs(networks []netip.Prefix, people []safety.Person) string {
	switch {
	case len(networks) == 1 && len(people) == 0:
		return fmt.Sprintf("%v is", networks[0])
	case len(networks) == 0 && len(people) == 1:
		return fmt.Sprintf("%v is", people[0])
	case len(people) == 0:
		return fmt.Sprintf("%d networks are", len(networks))
	case len(networks) == 0:
		return fmt.Sprintf("%d people are", len(people))
	}
	return fmt.Sprintf("%d networks and %d people are", len(networks), len(people))
}

// postUnban ends the bans of the networks of the body, and whatever is decided about its
// people.
func (h handler) postUnban(w http.ResponseWriter, r *http.Request) {
	networks, people, ok := readWho(w, r)
	if !ok {
		return
	}
	var n int
	var err error
	if len(people) > 0 {
		before := len(h.Bans.People())
		if err = h.Bans.Decide(safety.Verdict{Do: "lift", People: people, By: operator(r)}); err == nil {
			n = max(before-len(h.Bans.People()), 0)
		}
	}
	if err == nil && len(networks) > 0 {
		var more int
		more, err = h.Bans.Unban(networks, operator(r))
		n += more
	}
	switch {
	case err != nil:
		refuseDecision(w, err)
	case n == 0:
		answer(w, http.StatusNotFound, "none of these is banned; a network that they are part of may be")
	default:
		h.act(r, "bans lifted", about(networks, people, "lifted", n)...)
		answer(w, http.StatusOK, fmt.Sprintf("%d lifted", n))
	}
}

// refuseDecision says what is wrong with a decision, or with the disk.
func refuseDecision(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	for _, mistake := range []error{safety.ErrNoNetwork, safety.ErrTooMany, safety.ErrNotTimeLeft, safety.ErrReason, safety.ErrNobody, safety.ErrShared} {
		if errors.Is(err, mistake) {
			status = http.StatusBadRequest
		}
	}
	answer(w, status, err.Error())
}

// about are the attributes of a line of the log about these: of people only their
// number, for that is what names them.
func about(networks []netip.Prefix, people []safety.Person, attrs ...any) []any {
	if len(people) > 0 {
		attrs = append([]any{"people", len(people)}, attrs...)
	}
	if len(networks) > 0 {
		attrs = append([]any{"networks", inLog(networks)}, attrs...)
	}
	return attrs
}

// inLog is a list of networks for a line of the log.
func inLog(networks []netip.Prefix) string {
	text := strings.Trim(fmt.Sprint(networks[:min(len(networks), networksInLog)]), "[]")
	if more := len(networks) - networksInLog; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// act notes what an operator did.
func (h handler) act(r *http.Request, what string, attrs ...any) {
	if h.Log != nil {
		h.Log.Act(operator(r), what, attrs...)
	}
}

// postNotice tells everybody what happens in a while.
func (h handler) postNotice(w http.ResponseWriter, r *http.Request) {
	code := r.URL.Query().Get("code")
	in, err := time.ParseDuration(r.URL.Query().Get("in"))
	if code != "none" && (err != nil || in <= 0 || in > maxNotice) {
		answer(w, http.StatusBadRequest, fmt.Sprintf("in is not a time such as 5m, up to %v", maxNotice))
		return
	}
	if err := h.Announce(code, in); err != nil {
		answer(w, http.StatusBadRequest, err.Error())
		return
	}
	h.act(r, "people told", "notice", code, "in", in)
	answer(w, http.StatusOK, "told everybody who can hear it")
}

// maxNotice is how early people can be told of something.
const maxNotice = 24 * time.Hour
