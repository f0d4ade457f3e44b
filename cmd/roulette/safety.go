package main

import (
	"path/filepath"

	"roulette/cmd/roulette/internal/config"
	"roulette/cmd/roulette/internal/safety"
	"roulette/web"
)

// checkSafety adds to values what is wrong with the flags of safety.
func (c *serveFlags) checkSafety(values *config.Values) {
	for _, text := range c.Moderators {
		if _, err := safety.ParseRecipients([]string{text}); err != nil {
			values.Reject("moderators", "%w", err)
		}
	}
	if _, err := web.ParseAppeal(c.Appeal); err != nil {
		values.Reject("appeal", "%w", err)
	}
	for _, text := range []struct{ key, path string }{{"entry", c.Entry}, {"terms", c.Terms}, {"privacy", c.Privacy}} {
		if _, err := readTexts(text.path); err != nil {
			values.Reject(text.key, "%w", err)
		}
	}
	if _, err := c.wordFilter(); err != nil {
		values.Reject("word-filter", "%w", err)
	}
	if c.EntryAge < 0 || c.EntryAge > 120 {
		values.Reject("entry-age", "%d is no age", c.EntryAge)
	}
	switch {
	case len(c.Moderators) == 0:
	case c.Safety == safety.Off:
		values.Reject("moderators", "is of no use with --safety off: nobody can report")
	case c.stateDir() == "":
		values.Reject("moderators", "needs --state-dir, where reports are kept")
	}
}

// openInbox is where reports go; nil: nobody would read them. beside: a predecessor uses
// it, too.
func (c *serveFlags) openInbox(beside bool) (*safety.Inbox, error) {
	if len(c.Moderators) == 0 {
		return nil, nil
	}
	dir, err := openStateDir(c.stateDir())
	if err != nil {
		return nil, err
	}
	recipients, err := safety.ParseRecipients(c.Moderators)
	if err != nil {
		return nil, err
	}
	open := safety.OpenInbox
	if beside {
		open = safety.OpenInboxBeside
	}
	return open(filepath.Join(dir, "reports"), recipients)
}
