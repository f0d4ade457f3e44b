package record

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// Kind is what a client wants.
type Kind uint8

const (
	Unknown Kind = iota // only with an error
	Next
	Stop
	Typing
)

var kinds = [...]string{Unknown: "unknown", Next: "next", Stop: "stop", Typing: TypeTyping}

// String is the type on the wire.
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k]
	}
	return kinds[Unknown]
}

// Command is a client's record. The zero value is what comes with an error.
type Command struct {
	Kind Kind

	// Of Next. Pair is not 0 if HasPair. Interests are in the form in which
	// they are compared, each once; without HasInterests the client keeps
	// those it has, and with it an empty list clears them.
	Pair         uint32
	HasPair      bool
	HasInterests bool
	Interests    []string

	// Of Typing.
	On bool
}

// Parse calls do for every record of the control message with this payload, in
// order, until do returns false. refused, if not nil, is what the client is to be
// told; the records behind a refused one are read all the same.
//
// The work is bounded by the length of payload, and do is called at most 17
// times. A Command holds nothing of payload. A payload that is no control
// message is one bad record.
func Parse(payload []byte, do func(cmd Command, refused *Error) (goOn bool)) {
	if !IsControl(payload) {
		do(Command{}, ErrBadRecord)
		return
	}
	for n := 0; len(payload) > 0; n++ {
		if n == maxRecords {
			do(Command{}, errTooManyRecords)
			return
		}
		var text []byte
		text, payload = cut(payload)
		if !do(parse(text)) {
			return
		}
	}
}

// cut takes the first record off payload, which begins with a separator, and
// returns its text without it.
func cut(payload []byte) (text, rest []byte) {
	payload = payload[1:]
	if i := bytes.IndexByte(payload, Separator); i >= 0 {
		return payload[:i], payload[i:]
	}
	return payload, nil
}

// parse reads the text of one record.
func parse(text []byte) (Command, *Error) {
	switch {
	case 1+len(text) > maxRecord:
		return Command{}, errTooBig
	case !utf8.Valid(text):
		return Command{}, errUTF8
	}
	var o object
	s := scanner{b: text}
	s.space()
	if !s.object(&o, maxDepth) {
		return Command{}, ErrBadRecord
	}
	if s.space(); s.i < len(text) {
		return Command{}, ErrBadRecord
	}

	typ := o.get("type")
	if typ == nil || typ[0] != '"' {
		return Command{}, errType
	}
	switch string(unquote(typ)) {
	case "next":
		return parseNext(&o)
	case "stop":
		return Command{Kind: Stop}, nil
	case TypeTyping:
		switch string(o.get("on")) {
		case "true":
			return Command{Kind: Typing, On: true}, nil
		case "false":
			return Command{Kind: Typing}, nil
		}
		return Command{}, errOn
	}
	return Command{}, errUnknownType
}

func parseNext(o *object) (Command, *Error) {
	cmd := Command{Kind: Next}
	if v := o.get("pair"); v != nil {
		n, err := strconv.ParseUint(string(v), 10, 32)
		if err != nil || n == 0 {
			return Command{}, errPair
		}
		cmd.Pair, cmd.HasPair = uint32(n), true
	}
	if v := o.get("interests"); v != nil {
		list, refused := parseInterests(v)
		if refused != nil {
			return Command{}, refused
		}
		cmd.Interests, cmd.HasInterests = list, true
	}
	return cmd, nil
}
