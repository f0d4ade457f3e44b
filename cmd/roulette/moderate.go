package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"filippo.io/age"

	"roulette/cmd/roulette/internal/moderator"
	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/terminal"
)

// moderateCommand is roulette moderate.
type moderateCommand struct {
	Identity  string        `required:"" placeholder:"FILE" help:"Key that reports are encrypted to, as age-keygen makes it: roulette serve has its public part in --moderators. It does not leave this machine."`
	BanFor    time.Duration `placeholder:"TIME" default:"24h" help:"How long the key b bans (default ${default})."`
	ShadowFor time.Duration `placeholder:"TIME" default:"168h" help:"How long the key s has somebody meet only others who are so (default ${default})."`
	List      bool          `help:"Print the reports that wait, a line each, instead of the desk."`
	adminSide
}

// Run sits down at the desk.
func (c *moderateCommand) Run(stdout io.Writer) error {
	file, err := os.Open(c.Identity)
	if err != nil {
		return usageError{fmt.Errorf("--identity: %w", err)}
	}
	identities, err := age.ParseIdentities(file)
	file.Close()
	if err != nil {
		return usageError{fmt.Errorf("--identity: %s has no key such as AGE-SECRET-KEY-1…", c.Identity)} // nothing of it
	}
	side := moderatedSide{c.adminSide}
	if c.List || !isTerminal(os.Stdin) || !isTerminalWriter(stdout) {
		return listReports(stdout, side, identities)
	}
	return moderator.Run(moderator.Config{Side: side, Identities: identities, BanFor: c.BanFor, ShadowFor: c.ShadowFor}, os.Stdin, stdout)
}

// listReports prints what waits.
func listReports(stdout io.Writer, side moderator.Side, identities []age.Identity) error {
	cases, err := moderator.Load(side, identities, nil)
	if err != nil {
		return err
	}
	for _, c := range cases {
		if c.Decided != "" {
			continue
		}
		what := "cannot be read with this key"
		if c.Closed == nil {
			what = fmt.Sprintf("%s, %d messages, reported %v by %v", terminal.VisibleLine(c.Report.Reason), len(c.Report.Lines), c.Report.Reported, c.Report.Reporter)
		}
		if _, err := fmt.Fprintf(stdout, "%s  %s  %s\n", c.ID, c.At.Local().Format("2006-01-02 15:04"), what); err != nil {
			return err
		}
	}
	return nil
}

// moderatedSide is the admin side, as the desk needs it.
type moderatedSide struct{ adminSide }

// Reports implements [moderator.Side].
func (s moderatedSide) Reports() (all []moderator.Filed, err error) {
	answer, err := s.ask(http.MethodGet, "/reports", nil, nil)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	for lines := json.NewDecoder(answer); ; {
		var f moderator.Filed
		if err := lines.Decode(&f); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
}

// Open implements [moderator.Side].
func (s moderatedSide) Open(id string) (io.ReadCloser, error) {
	return s.ask(http.MethodGet, "/reports/"+id, nil, nil)
}

// Decide implements [moderator.Side].
func (s moderatedSide) Decide(v safety.Verdict) error {
	var who strings.Builder
	for _, p := range v.People {
		fmt.Fprintln(&who, p)
	}
	query := url.Values{"do": {v.Do}, "report": {v.Report}, "reason": {v.Reason}}
	if v.Lasts > 0 {
		query.Set("for", v.Lasts.String())
	}
	return s.order(io.Discard, "/decide", query, strings.NewReader(who.String()))
}
