package record

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Event is a server's record. Type is one of the constants; of the other fields,
// those that such a record has are set.
type Event struct {
	Type       string
	Session    string   // hello
	Online     int      // hello
	MaxMessage int      // hello, bytes
	Pair       uint32   // paired, left, typing, undelivered
	Common     []string // paired
	Reason     Reason   // left
	On         bool     // typing
	N          uint64   // online, undelivered
	Code       string   // error
	Message    string   // error
}

var errNotControl = errors.New("record: not a control message")

// ParseEvents reads the control message with this payload as a client does:
// types and fields that it does not know are ignored, and fields that are
// missing are zero. err is about the first record that could not be read; the
// events are those of all others.
func ParseEvents(payload []byte) (events []Event, err error) {
	if !IsControl(payload) {
		return nil, errNotControl
	}
	for len(payload) > 0 {
		var text []byte
		text, payload = cut(payload)
		if len(text) == 0 {
			continue // nothing, says RFC 7464
		}
		e, known, bad := parseEvent(text)
		switch {
		case bad != nil && err == nil:
			err = fmt.Errorf("record: %w", bad)
		case bad == nil && known:
			events = append(events, e)
		}
	}
	return events, err
}

func parseEvent(text []byte) (e Event, known bool, err error) {
	// Not a struct: what a field holds is known only when the type is.
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return e, false, err
	}
	read := func(key string, into any) {
		value, ok := fields[key]
		if !ok {
			return
		}
		if bad := json.Unmarshal(value, into); bad != nil && err == nil {
			err = fmt.Errorf("%s: %w", key, bad)
		}
	}
	read("type", &e.Type)
	switch e.Type {
	case TypeHello:
		read("session", &e.Session)
		read("online", &e.Online)
		read("max_message", &e.MaxMessage)
	case TypeWaiting:
	case TypePaired:
		read("pair", &e.Pair)
		read("common", &e.Common)
	case TypeLeft:
		read("pair", &e.Pair)
		read("reason", &e.Reason)
	case TypeTyping:
		read("pair", &e.Pair)
		read("on", &e.On)
	case TypeOnline:
		read("n", &e.N)
	case TypeUndelivered:
		read("pair", &e.Pair)
		read("n", &e.N)
	case TypeError:
		read("code", &e.Code)
		read("message", &e.Message)
	default:
		return Event{}, false, err
	}
	return e, true, err
}
