package admin

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"roulette/cmd/roulette/internal/safety"
)

// Bans is who may ban networks. Any goroutine.
type Bans interface {
	Ban(networks []netip.Prefix, lasts time.Duration, reason, by string) error
	Unban(networks []netip.Prefix, by string) (n int, err error)
	// Bans are those in force; lasting: they outlive the process.
	Bans() (all []safety.Ban, lasting bool)
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
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	out := bufio.NewWriter(w)
	e := json.NewEncoder(out)
	for i := range all {
		_ = e.Encode(&all[i]) // who asked is gone if this fails
	}
	_ = out.Flush() // likewise
}

// postBan bans the networks of the body, one a line, for a while, and a reason that is
// for operators.
func (h handler) postBan(w http.ResponseWriter, r *http.Request) {
	lasts, err := time.ParseDuration(r.URL.Query().Get("for"))
	if err != nil {
		answer(w, http.StatusBadRequest, "for is not a time such as 24h")
		return
	}
	networks, ok := readNetworks(w, r)
	if !ok {
		return
	}
	reason := r.URL.Query().Get("reason")
	if err := h.Bans.Ban(networks, lasts, reason, operator(r)); err != nil {
		refuseDecision(w, err)
		return
	}
	h.act(r, "networks banned", "networks", inLog(networks), "for", lasts, "reason", reason)
	who := fmt.Sprintf("%d networks are", len(networks))
	if len(networks) == 1 {
		who = fmt.Sprintf("%v is", networks[0])
	}
	text := fmt.Sprintf("%s banned until %s", who, time.Now().Add(lasts).Format("2006-01-02 15:04:05"))
	if _, lasting := h.Bans.Bans(); !lasting {
		text += ", or until the server stops, for it has no --state-dir"
	}
	answer(w, http.StatusOK, text)
}

// postUnban ends the bans of the networks of the body.
func (h handler) postUnban(w http.ResponseWriter, r *http.Request) {
	networks, ok := readNetworks(w, r)
	if !ok {
		return
	}
	n, err := h.Bans.Unban(networks, operator(r))
	switch {
	case err != nil:
		refuseDecision(w, err)
	case n == 0:
		answer(w, http.StatusNotFound, "none of these is banned; a network that they are part of may be")
	default:
		h.act(r, "bans lifted", "networks", inLog(networks), "lifted", n)
		answer(w, http.StatusOK, fmt.Sprintf("%d lifted", n))
	}
}

// readNetworks reads the body of a request. False: the request is answered.
func readNetworks(w http.ResponseWriter, r *http.Request) (networks []netip.Prefix, ok bool) {
	lines := bufio.NewScanner(http.MaxBytesReader(w, r.Body, maxBansBody))
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if strings.TrimSpace(text) == "" {
			continue
		}
		network, err := safety.ParseNetwork(text)
		if err != nil {
			answer(w, http.StatusBadRequest, fmt.Sprintf("line %d: %v", n, err))
			return nil, false
		}
		networks = append(networks, network)
	}
	if err := lines.Err(); err != nil {
		answer(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a list of networks cannot be read: %v", err))
		return nil, false
	}
	return networks, true
}

// refuseDecision says what is wrong with a decision, or with the disk.
func refuseDecision(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	for _, mistake := range []error{safety.ErrNoNetwork, safety.ErrTooMany, safety.ErrNotTimeLeft, safety.ErrReason} {
		if errors.Is(err, mistake) {
			status = http.StatusBadRequest
		}
	}
	answer(w, status, err.Error())
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
