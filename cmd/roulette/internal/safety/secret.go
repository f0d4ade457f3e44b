package safety

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// SecretSize is the length of a [Secret].
const SecretSize = 32

// Secret signs cookies and hides networks. Whoever shares it knows the same people:
// the nodes of a cluster, and a process that takes over from another.
type Secret [SecretSize]byte

// NewSecret is one for a process that keeps none.
func NewSecret() *Secret {
	s := new(Secret)
	_, _ = rand.Read(s[:]) // never fails
	return s
}

// For is a key of its own for another purpose.
func (s *Secret) For(purpose string) [sha256.Size]byte {
	h := hmac.New(sha256.New, s[:])
	h.Write([]byte(purpose))
	return [sha256.Size]byte(h.Sum(nil))
}

// LoadSecret reads the secret in the file name: a line of 64 hexadecimal digits.
func LoadSecret(name string) (*Secret, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimSpace(text)
	s := new(Secret)
	if len(text) != 2*len(s) {
		return nil, fmt.Errorf("%s: a secret has %d hexadecimal digits", name, 2*len(s))
	}
	if _, err := hex.Decode(s[:], text); err != nil {
		return nil, fmt.Errorf("%s: a secret has %d hexadecimal digits", name, 2*len(s))
	}
	return s, nil
}

// LoadOrMakeSecret reads the secret in the file name, and makes the file, for its owner
// alone, if there is none. Of several processes that come at once all get the same.
func LoadOrMakeSecret(name string) (*Secret, error) {
	if s, err := LoadSecret(name); !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".secret-*") // 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintf(f, "%x\n", NewSecret()[:])
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	// A link, unlike a rename, leaves alone what somebody else has put there.
	if err := os.Link(f.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return LoadSecret(name)
}
