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
	Hello
	Ping
	Hiding
	Shown
	Again
	Resume
	Have
	Resend
	Report
	Block
	Proof

	// Kinds is how many there are.
	Kinds = iota
)

var kinds = [Kinds]string{
	Unknown: "unknown", Next: "next", Stop: "stop", Typing: TypeTyping,
	Hello: TypeHello, Ping: "ping", Hiding: "hiding", Shown: "shown", Again: TypeAgain,
	Resume: "resume", Have: TypeHave, Resend: TypeResend,
	Report: "report", Block: "block", Proof: TypeProof,
}

// kindOf is the kind of a type on the wire.
func kindOf(typ []byte) Kind {
	for k := Unknown + 1; k < Kinds; k++ {
		if kinds[k] == string(typ) {
			return k
		}
	}
	return Unknown
}

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

	// Of Next, and Pair of Again and Have. Pair is 0 with HasPair in a Next
	// of who knows of no pairing. Interests are in the
	// form in which they are compared, each once; without HasInterests the client
	// keeps those it has, and with it an empty list clears them. So it is with
	// Languages and Table, which is left if it is empty.
	Pair         uint32
	HasPair      bool
	HasInterests bool
	HasLanguages bool
	HasTable     bool
	Interests    []string
	Languages    []string
	Table        string

	On      bool     // of Typing
	Can     Can      // of Hello: what the server knows of it
	Blocked []string // of Hello: what those are called whom the client has blocked
	N       uint64   // of Ping; of Resume and Have: messages of the partner that were shown

	Token      string // of Resume, not looked into; of Proof: its seed, likewise
	Try        uint32 // of Resume, not 0
	Generation uint64 // of Resend, and of Have if it answers a sync; else 0
	From, Lost uint64 // of Resend

	// Of Report, and Opening also of Block: what the server has sealed, not looked into;
	// First is empty for the beginning.
	Opening, First, Last string
	Reason               string // one of ReportReasons
	Text                 string
	Messages             []Relayed

	Answers [ProofParts]uint32 // of Proof
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
	if i := bytes.IndexByte(payload, separator); i >= 0 {
		return payload[:i], payload[i:]
	}
	return payload, nil
}

// parse reads the text of one record.
func parse(text []byte) (Command, *Error) {
	switch {
	case 1+len(text) > limitOf(text):
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
	cmd := Command{Kind: kindOf(unquote(typ))}
	var refused *Error
	switch cmd.Kind {
	case Unknown:
		return Command{}, errUnknownType
	case Next:
		refused = parseNext(&o, &cmd)
	case Typing:
		refused = parseTyping(&o, &cmd)
	case Hello:
		refused = parseHello(&o, &cmd)
	case Ping:
		cmd.N, refused = parseNumber(&o, "n", 0, errN)
	case Resume:
		refused = parseResume(&o, &cmd)
	case Have:
		refused = parseHave(&o, &cmd)
	case Resend:
		refused = parseResend(&o, &cmd)
	case Report:
		refused = parseReport(&o, &cmd)
	case Block:
		refused = parseBlock(&o, &cmd)
	case Proof:
		refused = parseProof(&o, &cmd)
	case Again:
		if refused = parsePair(&o, &cmd); refused == nil && !cmd.HasPair {
			refused = errAgainPair
		}
	}
	if refused != nil {
		return Command{}, refused
	}
	return cmd, nil
}

func parseHello(o *object, cmd *Command) (refused *Error) {
	v := o.get("can")
	if v == nil {
		return errCan
	}
	if cmd.Can, refused = parseCan(v); refused != nil {
		return refused
	}
	if v := o.get("blocked"); v != nil {
		cmd.Blocked, refused = parseNames(v)
	}
	return refused
}

func parseTyping(o *object, cmd *Command) *Error {
	switch string(o.get("on")) {
	case "true":
		cmd.On = true
	case "false":
	default:
		return errOn
	}
	return nil
}

func parseNext(o *object, cmd *Command) (refused *Error) {
	switch v := o.get("pair"); {
	case string(v) == "0":
		cmd.HasPair = true
	default:
		if refused = parsePair(o, cmd); refused != nil {
			return refused
		}
	}
	if v := o.get("interests"); v != nil {
		cmd.HasInterests = true
		if cmd.Interests, refused = parseInterests(v); refused != nil {
			return refused
		}
	}
	if v := o.get("languages"); v != nil {
		cmd.HasLanguages = true
		if cmd.Languages, refused = parseLanguages(v); refused != nil {
			return refused
		}
	}
	if v := o.get("table"); v != nil {
		cmd.HasTable = true
		cmd.Table, refused = parseTable(v)
	}
	return refused
}

func parsePair(o *object, cmd *Command) *Error {
	v := o.get("pair")
	if v == nil {
		return nil
	}
	n, err := strconv.ParseUint(string(v), 10, 32)
	if err != nil || n == 0 {
		return errPair
	}
	cmd.Pair, cmd.HasPair = uint32(n), true
	return nil
}
