package tlsfront

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// ticketAge is how long new tickets are sealed with one key, ticketKeys how many
	// keys open them: a ticket is good for that many ages at most.
	ticketAge  = 12 * time.Hour
	ticketKeys = 3
)

// Tickets are the keys of session tickets. They are in the file ticket-keys of a
// directory, if there is one, and so the same in all processes that share it:
//
//	1763985600 6e0f…   when it was made (Unix time), 32 bytes; the newest first
//
// Every process looks there about once a minute, and whoever finds the newest too old
// makes the next. Any goroutine.
type Tickets struct {
	dir string // "": in memory

	// Guarded by mu.
	mu     sync.Mutex
	keys   []ticketKey
	follow []func([][32]byte)
}

type ticketKey struct {
	made int64 // Unix time
	key  [32]byte
}

// OpenTickets reads the keys from dir, or makes the first.
func OpenTickets(dir string, now time.Time) (*Tickets, error) {
	t := &Tickets{dir: dir}
	if err := t.Refresh(now); err != nil {
		return nil, err
	}
	return t, nil
}

// Follow calls f now, and whenever the keys have changed, with those in force.
func (t *Tickets) Follow(f func(keys [][32]byte)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.follow = append(t.follow, f)
	f(t.inForce())
}

func (t *Tickets) inForce() (keys [][32]byte) {
	for _, k := range t.keys {
		keys = append(keys, k.key)
	}
	return keys
}

// Refresh reads the keys again and makes a new one when it is time. An error leaves
// them as they are.
func (t *Tickets) Refresh(now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	keys := t.keys
	if t.dir != "" {
		lock, err := lockFile(filepath.Join(t.dir, "ticket-keys.lock"))
		if err != nil {
			return fmt.Errorf("tlsfront: session tickets: %w", err)
		}
		defer lock.Close()
		if keys, err = readTicketKeys(t.file()); err != nil {
			return fmt.Errorf("tlsfront: session tickets: %w", err)
		}
	}
	next := slices.Clone(keys)
	if len(next) == 0 || now.Sub(time.Unix(next[0].made, 0)).Abs() >= ticketAge { // also of a clock set back
		k := ticketKey{made: now.Unix()}
		if _, err := rand.Read(k.key[:]); err != nil {
			return fmt.Errorf("tlsfront: session tickets: %w", err)
		}
		next = slices.Insert(next, 0, k)
		next = next[:min(len(next), ticketKeys)]
		if t.dir != "" {
			if err := writeTicketKeys(t.file(), next); err != nil {
				return fmt.Errorf("tlsfront: session tickets: %w", err)
			}
		}
	}
	if slices.Equal(next, t.keys) {
		return nil
	}
	t.keys = next
	for _, f := range t.follow {
		f(t.inForce())
	}
	return nil
}

func (t *Tickets) file() string { return filepath.Join(t.dir, "ticket-keys") }

// lockFile takes a lock that ends with the file's closing.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, os.NewSyscallError("flock", err)
	}
	return f, nil
}

var errTicketKeys = errors.New("ticket-keys is not what this program writes: remove it")

func readTicketKeys(name string) (keys []ticketKey, err error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer clear(b)
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		made, key, _ := strings.Cut(lines.Text(), " ")
		seconds, err := strconv.ParseInt(made, 10, 64)
		if err != nil || hex.DecodedLen(len(key)) != 32 || len(keys) == ticketKeys {
			return nil, errTicketKeys // without a word of it (T4)
		}
		k := ticketKey{made: seconds}
		if _, err := hex.Decode(k.key[:], []byte(key)); err != nil {
			return nil, errTicketKeys
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// writeTicketKeys replaces the file, so that whoever reads it reads a whole one.
func writeTicketKeys(name string, keys []ticketKey) error {
	f, err := os.CreateTemp(filepath.Dir(name), "ticket-keys-") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it has its name
	for i := range keys {
		if _, err := fmt.Fprintf(f, "%d %x\n", keys[i].made, keys[i].key); err != nil {
			f.Close()
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
