package handover

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Protocol is the version of this conversation.
const Protocol = 1

// Hello is what each side says first.
type Hello struct {
	Protocol int    `json:"protocol"`
	Release  string `json:"release"`
	PID      int    `json:"pid"`
	// The versions of the state that a successor can read; of a predecessor, those that
	// it can write. The newest that both know is taken.
	OldestState int `json:"oldest_state"`
	NewestState int `json:"newest_state"`
	// Settings, of a predecessor, are those that a successor must share.
	Settings map[string]string `json:"settings,omitempty"`
}

// Sums are what has to be equal on both sides (U4).
type Sums struct {
	Connections  int    `json:"connections"`
	Seats        int    `json:"seats"`
	Pairs        int    `json:"pairs"`
	Waiting      int    `json:"waiting"`
	BacklogBytes uint64 `json:"backlog_bytes"`
}

// word is a message of the conversation. Its descriptors travel beside it.
type word struct {
	Type  string   `json:"type"`
	Hello *Hello   `json:"hello,omitempty"`
	Names []string `json:"names,omitempty"`
	IDs   []uint64 `json:"ids,omitempty"`
	Size  int64    `json:"size,omitempty"`
	Sums  *Sums    `json:"sums,omitempty"`
	Count int      `json:"count,omitempty"`
	Why   string   `json:"why,omitempty"`
	Bytes []byte   `json:"bytes,omitempty"`
}

// The types of words.
const (
	hello       = "hello"
	listeners   = "listeners"
	connections = "connections"
	gone        = "gone"
	state       = "state"
	received    = "received"
	ready       = "ready"
	commit      = "commit"
	serving     = "serving"
	latecomer   = "latecomer"
	refused     = "refused" // with why; the other side gives up
)

// The bounds of a word.
const (
	maxWord        = 64 << 10 // bytes
	maxDescriptors = 253      // unix(7), SCM_MAX_FD
	maxIDs         = 2000
)

// RefusedError is what the other side has said instead of going on.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string { return "refused: " + e.Why }

var errEnded = errors.New("the other side is gone")

func (w *word) encode() ([]byte, error) {
	b, err := json.Marshal(w)
	if err == nil && len(b) > maxWord {
		err = fmt.Errorf("a word of %d bytes", len(b))
	}
	return b, err
}

func decode(b []byte) (*word, error) {
	var w word
	if err := json.Unmarshal(b, &w); err != nil {
		return nil, fmt.Errorf("malformed word: %w", err)
	}
	return &w, nil
}
