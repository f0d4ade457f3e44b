package safety

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"filippo.io/age"
)

// Bounds of an [Inbox] (I4).
const (
	MaxFiled = 1 << 14 // reports in it; more are refused until some are over

	expiredFor = time.Hour // running time for which a report has to be over before it goes
)

// ErrInboxFull: nobody reads them.
var ErrInboxFull = fmt.Errorf("more than %d reports wait for a moderator", MaxFiled)

// Inbox keeps verified reports for moderators, each a file of its own that they alone
// can read: the server has their public keys and no other. It implements [Reports].
type Inbox struct {
	// Immutable.
	dir        string
	recipients []age.Recipient
	create     func(name string) (file, error)

	mu sync.Mutex
	// Guarded by mu.
	filed map[string]Filed
	over  map[string]time.Duration // since when a report was seen to be over, in running time

	// Atomic.
	failed atomic.Uint64 // that could not be kept
}

// Filed is what can be told of a report without opening it.
type Filed struct {
	ID   string    `json:"id"`
	At   time.Time `json:"at"`
	Size int64     `json:"size"` // of the file
}

// file is what an Inbox needs of an [os.File].
type file interface {
	io.WriteCloser
	Sync() error
}

// ParseRecipients reads public keys of moderators, as age-keygen prints them.
func ParseRecipients(texts []string) ([]age.Recipient, error) {
	var all []age.Recipient
	for _, text := range texts {
		r, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil || len(r) != 1 {
			return nil, fmt.Errorf("%.80q is not a recipient such as age1…, which age-keygen prints", text)
		}
		all = append(all, r...)
	}
	return all, nil
}

// fileName is the time of a report in seconds, so that names stand in its order, and
// something that no two have in common.
var fileName = regexp.MustCompile(`^[0-9a-f]{10}-[0-9a-f]{16}$`)

const (
	sealedSuffix = ".age"
	newPrefix    = ".new-" // of a report that is not there yet
)

// OpenInbox finds the reports that are in the folder dir, which it makes, and leaves
// nothing there of those that a crash has cut: nobody was told that they were taken.
func OpenInbox(dir string, recipients []age.Recipient) (*Inbox, error) {
	return openInbox(dir, recipients, true)
}

// OpenInboxBeside is OpenInbox while another process files reports in the folder, of
// which what has begun is left alone. Look is to follow when that one files no more.
func OpenInboxBeside(dir string, recipients []age.Recipient) (*Inbox, error) {
	return openInbox(dir, recipients, false)
}

func openInbox(dir string, recipients []age.Recipient, alone bool) (*Inbox, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	b := &Inbox{
		dir: dir, recipients: recipients, create: createFile,
		filed: make(map[string]Filed), over: make(map[string]time.Duration),
	}
	if err := b.look(alone); err != nil {
		return nil, err
	}
	// Better now than with the first report.
	try := filepath.Join(dir, fmt.Sprintf("%stry-%d", newPrefix, os.Getpid()))
	f, err := b.create(try)
	if err != nil {
		return nil, err
	}
	return b, errors.Join(f.Close(), os.Remove(try))
}

// Look finds the reports that another process has filed since the inbox was opened.
func (b *Inbox) Look() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.look(false)
}

// look finds reports; tidy: what has begun to be one, and never will be, is removed.
func (b *Inbox) look(tidy bool) error {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if tidy && strings.HasPrefix(e.Name(), newPrefix) {
			if err := os.Remove(filepath.Join(b.dir, e.Name())); err != nil {
				return err
			}
			continue
		}
		id, sealed := strings.CutSuffix(e.Name(), sealedSuffix)
		if !sealed || !fileName.MatchString(id) {
			continue
		}
		if _, known := b.filed[id]; known {
			continue
		}
		if info, err := e.Info(); err == nil {
			b.filed[id] = Filed{id, filedAt(id), info.Size()}
		}
	}
	return nil
}

func createFile(name string) (file, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

func filedAt(id string) time.Time {
	var seconds int64
	_, _ = fmt.Sscanf(id[:10], "%x", &seconds) // it has matched
	return time.Unix(seconds, 0).UTC()
}

// Take implements [Reports]. The report is on the disk, under its name, when it returns;
// after an error nothing of it is.
func (b *Inbox) Take(r Report) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.take(&r); err != nil {
		b.failed.Add(1)
		return fmt.Errorf("report not kept: %w", err)
	}
	return nil
}

func (b *Inbox) take(r *Report) (err error) {
	if len(b.filed) >= MaxFiled {
		return ErrInboxFull
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	id := fmt.Sprintf("%010x-%.16s", uint64(max(r.At.Unix(), 0))&(1<<40-1), NewPerson())
	temporary := filepath.Join(b.dir, newPrefix+id)
	f, err := b.create(temporary)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary) // else at the next start
		}
	}()
	n, err := seal(f, text, b.recipients)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	name := filepath.Join(b.dir, id+sealedSuffix)
	if err = os.Rename(temporary, name); err != nil {
		return err
	}
	if err = syncFolder(name); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	b.filed[id] = Filed{id, filedAt(id), n}
	return nil
}

// counter counts what is written through it.
type counter struct {
	io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n += int64(n)
	return n, err
}

// seal writes text so that only the recipients can read it.
func seal(to io.Writer, text []byte, recipients []age.Recipient) (size int64, err error) {
	c := &counter{Writer: to}
	w, err := age.Encrypt(c, recipients...)
	if err != nil {
		return 0, err
	}
	if _, err := w.Write(text); err != nil {
		return 0, err
	}
	err = w.Close()
	return c.n, err
}

// Unseal reads a report that is encrypted to one of the identities.
func Unseal(sealed io.Reader, identities []age.Identity) (r Report, err error) {
	text, err := age.Decrypt(sealed, identities...)
	if err != nil {
		return r, err
	}
	if err := json.NewDecoder(text).Decode(&r); err != nil {
		return Report{}, err
	}
	_, err = io.Copy(io.Discard, text) // to its end, which says that it is whole
	return r, err
}

// Each are the reports, in no order.
func (b *Inbox) Each() []Filed {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]Filed, 0, len(b.filed))
	for _, f := range b.filed {
		all = append(all, f)
	}
	return all
}

// All are the reports, the oldest first.
func (b *Inbox) All() []Filed {
	all := b.Each()
	slices.SortFunc(all, func(x, y Filed) int { return cmp.Compare(x.ID, y.ID) })
	return all
}

// Open is the file of a report; [fs.ErrNotExist]: there is none.
func (b *Inbox) Open(id string) (io.ReadCloser, error) {
	if !fileName.MatchString(id) {
		return nil, fs.ErrNotExist
	}
	return os.Open(filepath.Join(b.dir, id+sealedSuffix))
}

// Has tells whether there is a report.
func (b *Inbox) Has(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.filed[id]
	return ok
}

// Failed is how many reports could not be kept.
func (b *Inbox) Failed() uint64 { return b.failed.Load() }

// Sweep removes reports that are older than [Keep]. running is for how long the process
// has been running: whatever the clock says, nothing goes before it has said so for an
// hour of that. Call it every now and then.
func (b *Inbox) Sweep(now time.Time, running time.Duration) (removed int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, f := range b.filed {
		if now.Sub(f.At) <= Keep {
			delete(b.over, id)
			continue
		}
		since, seen := b.over[id]
		if !seen {
			b.over[id] = running
			continue
		}
		if running-since < expiredFor {
			continue
		}
		if bad := os.Remove(filepath.Join(b.dir, id+sealedSuffix)); bad != nil && !errors.Is(bad, fs.ErrNotExist) {
			err = bad
			continue
		}
		delete(b.filed, id)
		delete(b.over, id)
		removed++
	}
	return removed, err
}
