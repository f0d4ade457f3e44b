package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// Event is a server's record. Type is one of the constants; of the other fields,
// those that such a record has are set.
type Event struct {
	Type       string
	Session    string        // hello
	Online     int           // hello
	MaxMessage int           // hello, bytes
	Terms      *Terms        // hello, the second one; nil in the first
	Pair       uint32        // of all records about a pairing
	Common     []string      // paired
	Languages  []string      // paired: in common; nil if the client has named none
	Again      bool          // paired: the partner before is the new one
	Alone      bool          // waiting
	Patience   time.Duration // waiting
	Reason     Reason        // left, away
	On         bool          // typing
	N          uint64        // online, undelivered, pong, have, stamp
	Token      string        // paired, resumed: what the pairing can be resumed with; empty if it cannot. proof: its seed
	Bits       int           // proof
	Generation uint64        // sync, and back after a break
	Have       uint64        // back after a break: how many messages the partner has shown
	From, Lost uint64        // resend
	Until      int64         // notice: Unix time
	Opening    string        // paired, resumed: what the partner can be reported and blocked with
	Mark       string        // stamp
	Name       string        // blocked
	Code       string        // error, notice, warned
	Message    string        // error
}

var (
	errNotControl = errors.New("record: not a control message")
	errSeconds    = errors.New("not a number of seconds up to 1000000")
)

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
		var can []string
		if read("can", &can); can != nil {
			e.Terms = &Terms{Can: canOfAll(can)}
			if e.Terms.Can&CanHeartbeat != 0 {
				read("heartbeat", (*seconds)(&e.Terms.Heartbeat))
				read("hidden", (*seconds)(&e.Terms.Hidden))
			}
			if e.Terms.Can&CanPeople != 0 {
				read("people", &e.Terms.People)
			}
			break
		}
		read("session", &e.Session)
		read("online", &e.Online)
		read("max_message", &e.MaxMessage)
	case TypeWaiting:
		read("alone", &e.Alone)
		read("patience", (*seconds)(&e.Patience))
	case TypePaired:
		read("pair", &e.Pair)
		read("again", &e.Again)
		read("common", &e.Common)
		read("common_languages", &e.Languages)
		read("resume", &e.Token)
		read("opening", &e.Opening)
	case TypeLeft, TypeAway:
		read("pair", &e.Pair)
		read("reason", &e.Reason)
	case TypeAgain:
		read("pair", &e.Pair)
	case TypeBack:
		read("pair", &e.Pair)
		read("gen", &e.Generation)
		read("have", &e.Have)
	case TypeResumed:
		read("pair", &e.Pair)
		read("resume", &e.Token)
		read("opening", &e.Opening)
	case TypeStamp:
		read("pair", &e.Pair)
		read("n", &e.N)
		read("mark", &e.Mark)
	case TypeBlocked:
		read("name", &e.Name)
	case TypeProof:
		read("seed", &e.Token)
		read("bits", &e.Bits)
	case TypeReported:
	case TypeWarned:
		read("code", &e.Code)
	case TypeSync:
		read("pair", &e.Pair)
		read("gen", &e.Generation)
	case TypeHave:
		read("pair", &e.Pair)
		read("n", &e.N)
	case TypeResend:
		read("pair", &e.Pair)
		read("from", &e.From)
		read("lost", &e.Lost)
	case TypeNotice:
		read("code", &e.Code)
		read("until", &e.Until)
	case TypeTyping:
		read("pair", &e.Pair)
		read("on", &e.On)
	case TypeOnline, TypePong:
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

// seconds is a duration that is a number of seconds on the wire.
type seconds time.Duration

// UnmarshalJSON implements [json.Unmarshaler].
func (d *seconds) UnmarshalJSON(text []byte) error {
	var n float64
	if err := json.Unmarshal(text, &n); err != nil {
		return err
	}
	if n < 0 || n > 1e6 {
		return errSeconds
	}
	*d = seconds(math.Round(n * float64(time.Second)))
	return nil
}
