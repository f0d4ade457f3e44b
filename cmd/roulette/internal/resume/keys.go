package resume

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Keys sign tokens with the first of them and know those of all.
type Keys struct {
	keys [][]byte
}

const (
	keySize = 32
	maxKeys = 4
)

// NewKeys returns one new key, for a process that keeps none.
func NewKeys() *Keys {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	return &Keys{keys: [][]byte{key}}
}

// ParseKeys reads keys: a line each of 64 hexadecimal digits, the one that signs
// first. To rotate, put a new line on top and drop the old one when its tokens
// are over.
func ParseKeys(text []byte) (*Keys, error) {
	k := new(Keys)
	for i, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		key := make([]byte, hex.DecodedLen(len(line)))
		if _, err := hex.Decode(key, line); err != nil || len(key) != keySize {
			return nil, fmt.Errorf("line %d: a key has %d hexadecimal digits", i+1, 2*keySize)
		}
		k.keys = append(k.keys, key)
	}
	switch n := len(k.keys); {
	case n == 0:
		return nil, errors.New("no key in it")
	case n > maxKeys:
		return nil, fmt.Errorf("%d keys; at most %d", n, maxKeys)
	}
	return k, nil
}

// LoadKeys reads the keys in the file name.
func LoadKeys(name string) (*Keys, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	k, err := ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return k, nil
}

// LoadOrMakeKeys reads the keys in the file name, and makes the file, for its
// owner alone, if there is none. Of several processes that come at once all get
// the same key.
func LoadOrMakeKeys(name string) (*Keys, error) {
	if k, err := LoadKeys(name); !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".resume-key-*") // 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintf(f, "%x\n", NewKeys().keys[0])
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	// A link, unlike a rename, leaves alone what somebody else has put there.
	if err := os.Link(f.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return LoadKeys(name)
}
