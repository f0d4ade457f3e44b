package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"roulette/cmd/roulette/internal/safety"
)

// adminSide is where a running server takes orders.
type adminSide struct {
	Admin string `placeholder:"ADDR" default:"127.0.0.1:8081" help:"Admin address of the server (default ${default})."`
}

// orderTime is more than the longest list takes.
const orderTime = 5 * time.Minute

// ask makes a request, and returns the body of a good answer.
func (a adminSide) ask(method, path string, query url.Values, body io.Reader) (io.ReadCloser, error) {
	// Never through a proxy of the environment.
	client := http.Client{Timeout: orderTime, Transport: &http.Transport{DisableKeepAlives: true}}
	to := url.URL{Scheme: "http", Host: a.Admin, Path: path, RawQuery: query.Encode()}
	r, err := http.NewRequest(method, to.String(), body)
	if err != nil {
		return nil, usageError{fmt.Errorf("--admin: %w", err)}
	}
	answer, err := client.Do(r)
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err // without the whole URL
	}
	if err != nil {
		return nil, fmt.Errorf("the admin side of a server: %w", err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	if err != nil {
		return nil, err
	}
	return nil, errors.New(strings.Join(strings.Fields(string(said)), " ")) // one line
}

// order makes a request and prints what the server says.
func (a adminSide) order(stdout io.Writer, path string, query url.Values, body io.Reader) error {
	answer, err := a.ask(http.MethodPost, path, query, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	_, err = io.Copy(stdout, answer)
	return err
}

// networkList are networks as arguments and in a file.
type networkList struct {
	Networks []string `arg:"" optional:"" name:"network" help:"Address or network, such as 192.0.2.7 or 2001:db8::/32, or a person: the 32 digits that a report names them by. An IPv6 address stands for its /64."`
	From     string   `placeholder:"FILE" help:"File with more of them, one a line, what is behind a # left out; - is the standard input."`
}

// body is all of them, one a line.
func (l networkList) body() (io.Reader, error) {
	var all bytes.Buffer
	for _, text := range l.Networks {
		network, person, err := safety.ParseWho(text)
		if err != nil {
			return nil, usageError{err}
		}
		if person.Known() {
			fmt.Fprintln(&all, person)
		} else {
			fmt.Fprintln(&all, network)
		}
	}
	var file io.Reader = strings.NewReader("")
	switch l.From {
	case "":
		if all.Len() == 0 {
			return nil, usageError{safety.ErrNoNetwork}
		}
	case "-":
		file = os.Stdin
	default:
		text, err := os.ReadFile(l.From)
		if err != nil {
			return nil, err
		}
		file = bytes.NewReader(text)
	}
	return io.MultiReader(&all, file), nil
}

// banCommand is roulette ban.
type banCommand struct {
	networkList
	For    time.Duration `placeholder:"TIME" default:"24h" help:"How long (default ${default})."`
	Reason string        `placeholder:"TEXT" help:"Why, for operators: people are not told."`
	adminSide
}

// Run bans networks.
func (c *banCommand) Run(stdout io.Writer) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	return c.order(stdout, "/ban", url.Values{"for": {c.For.String()}, "reason": {c.Reason}}, body)
}

// unbanCommand is roulette unban.
type unbanCommand struct {
	networkList
	adminSide
}

// Run ends bans.
func (c *unbanCommand) Run(stdout io.Writer) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	return c.order(stdout, "/unban", nil, body)
}

// bansCommand is roulette bans.
type bansCommand struct {
	adminSide
}

// Run lists the bans in force.
func (c *bansCommand) Run(stdout io.Writer) error {
	answer, err := c.ask(http.MethodGet, "/bans", nil, nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	n := 0
	for lines := json.NewDecoder(answer); ; n++ {
		var b safety.Ban
		if err := lines.Decode(&b); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if n == 0 {
			fmt.Fprintln(table, "NETWORK\tUNTIL\tBY\tREASON")
		}
		fmt.Fprintf(table, "%v\t%s\t%s\t%s\n", b.Network, b.Until.Local().Format("2006-01-02 15:04"), b.By, b.Reason)
	}
	more, err := c.people(table, n == 0)
	if err != nil {
		return err
	}
	if n+more == 0 {
		fmt.Fprintln(table, "Nobody is banned.")
	}
	return table.Flush()
}

// people lists those about whom something is decided.
func (c *bansCommand) people(table io.Writer, first bool) (n int, err error) {
	answer, err := c.ask(http.MethodGet, "/people", nil, nil)
	if err != nil {
		return 0, err
	}
	defer answer.Close()
	for lines := json.NewDecoder(answer); ; n++ {
		var p safety.PersonBan
		if err := lines.Decode(&p); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
		if n == 0 {
			if !first {
				fmt.Fprintln(table)
			}
			fmt.Fprintln(table, "PERSON\tUNTIL\tBY\tREASON\tDECIDED")
		}
		fmt.Fprintf(table, "%v\t%s\t%s\t%s\t%s\n", p.Person, p.Until.Local().Format("2006-01-02 15:04"), p.By, p.Reason, p.Do)
	}
}

// noticeCommand is roulette notice.
type noticeCommand struct {
	Code string        `arg:"" enum:"restart,maintenance,none" help:"restart, maintenance, or none: what was said does not hold any more."`
	In   time.Duration `placeholder:"TIME" default:"5m" help:"When it happens (default ${default})."`
	adminSide
}

// Run tells everybody.
func (c *noticeCommand) Run(stdout io.Writer) error {
	return c.order(stdout, "/notice", url.Values{"code": {c.Code}, "in": {c.In.String()}}, nil)
}
