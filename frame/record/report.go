package record

import (
	"encoding/base64"
	"unicode/utf8"
)

// The records of a report and a block; see Report and block in the package comment.

// ReportReasons are what a client can say is wrong.
var ReportReasons = [...]string{"harassment", "sexual", "minor", "hate", "threat", "spam", "other"}

// Relayed is a message of the partner as the client has received it.
type Relayed struct {
	Binary  bool
	Payload []byte
}

// AppendStamp appends the mark of a pairing after n messages of the partner.
func AppendStamp(dst []byte, pair, n uint32, mark []byte) []byte {
	dst = appendInt(begin(dst, TypeStamp), "pair", int64(pair))
	dst = appendInt(dst, "n", int64(n))
	return end(appendSealed(dst, "mark", mark))
}

// AppendReported appends that a report was true, and taken.
func AppendReported(dst []byte) []byte { return end(begin(dst, TypeReported)) }

// AppendWarned appends that somebody is warned, and why.
func AppendWarned(dst []byte, code string) []byte {
	return end(appendText(begin(dst, TypeWarned), "code", code))
}

// AppendBlocked appends what somebody who was blocked is called, for the client to keep.
func AppendBlocked(dst, name []byte) []byte {
	return end(appendSealed(begin(dst, TypeBlocked), "name", name))
}

// appendSealed appends text that needs no escapes, if there is some.
func appendSealed(dst []byte, key string, text []byte) []byte {
	if len(text) == 0 {
		return dst
	}
	dst = append(appendKey(dst, key), '"')
	dst = append(dst, text...)
	return append(dst, '"')
}

// appendReport appends the fields of Report.
func appendReport(dst []byte, cmd *Command) []byte {
	dst = appendText(dst, "opening", cmd.Opening)
	if cmd.First != "" {
		dst = appendText(dst, "first", cmd.First)
	}
	dst = appendText(dst, "last", cmd.Last)
	dst = appendText(dst, "reason", cmd.Reason)
	if cmd.Text != "" {
		dst = appendText(dst, "text", cmd.Text)
	}
	dst = append(appendKey(dst, "messages"), '[')
	for i, m := range cmd.Messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		if m.Binary {
			dst = append(dst, `{"binary":"`...)
			dst = base64.StdEncoding.AppendEncode(dst, m.Payload)
			dst = append(dst, `"}`...)
			continue
		}
		dst = append(dst, `{"text":`...)
		dst = append(appendString(dst, string(m.Payload)), '}')
	}
	return append(dst, ']')
}

// parseSealed reads a field that has what the server has sealed, which is not looked
// into.
func parseSealed(o *object, key string, must bool) (string, *Error) {
	v := o.get(key)
	if v == nil && !must {
		return "", nil
	}
	if v == nil || v[0] != '"' {
		return "", errSealed
	}
	text := unquote(v)
	if len(text) == 0 || len(text) > maxSealed {
		return "", errSealed
	}
	return string(text), nil
}

func parseBlock(o *object, cmd *Command) (refused *Error) {
	cmd.Opening, refused = parseSealed(o, "opening", true)
	return refused
}

func parseReport(o *object, cmd *Command) (refused *Error) {
	for _, f := range []struct {
		key  string
		must bool
		into *string
	}{{"opening", true, &cmd.Opening}, {"first", false, &cmd.First}, {"last", true, &cmd.Last}} {
		if *f.into, refused = parseSealed(o, f.key, f.must); refused != nil {
			return refused
		}
	}
	if cmd.Reason = reasonOf(o.get("reason")); cmd.Reason == "" {
		return errReason
	}
	if v := o.get("text"); v != nil {
		if v[0] != '"' {
			return errText
		}
		text := unquote(v)
		if utf8.RuneCount(text) > maxText {
			return errText
		}
		cmd.Text = string(text)
	}
	cmd.Messages, refused = parseMessages(o.get("messages"))
	return refused
}

// reasonOf is the reason in a value, empty if it is none.
func reasonOf(value []byte) string {
	if value == nil || value[0] != '"' {
		return ""
	}
	text := unquote(value)
	for _, r := range ReportReasons {
		if r == string(text) {
			return r
		}
	}
	return ""
}

// parseMessages reads the value of the field, which is valid JSON, or nil.
func parseMessages(value []byte) (list []Relayed, refused *Error) {
	s := scanner{b: value}
	if !s.skip('[') {
		return nil, errMessages
	}
	for n := 0; s.element(n); n++ {
		var o object
		if n == maxMessages || s.peek() != '{' || !s.object(&o, maxDepth) {
			return nil, errMessages
		}
		m, ok := parseRelayed(&o)
		if !ok {
			return nil, errMessages
		}
		list = append(list, m)
	}
	if len(list) == 0 {
		return nil, errMessages
	}
	return list, nil
}

// parseRelayed reads one message.
func parseRelayed(o *object) (m Relayed, ok bool) {
	text, binary := o.get("text"), o.get("binary")
	switch {
	case text != nil && binary == nil && text[0] == '"':
		return Relayed{Payload: append([]byte{}, unquote(text)...)}, true
	case binary != nil && text == nil && binary[0] == '"':
		encoded := unquote(binary)
		payload := make([]byte, base64.StdEncoding.DecodedLen(len(encoded)))
		n, err := base64.StdEncoding.Strict().Decode(payload, encoded)
		return Relayed{true, payload[:n]}, err == nil
	}
	return m, false
}

// parseNames reads what hello says of those whom the client has blocked: what is no name
// is of nobody.
func parseNames(value []byte) (list []string, refused *Error) {
	s := scanner{b: value}
	if !s.skip('[') {
		return nil, errNames
	}
	for n := 0; s.element(n); n++ {
		start := s.i
		if n == maxNames || !s.string() {
			return nil, errNames
		}
		list = append(list, string(unquote(s.b[start:s.i])))
	}
	return list, nil
}

// limitOf is how long the text of a record may be: longer if it is of the one type
// whose first field must say so.
func limitOf(text []byte) int {
	const report = `{"type":"report",`
	if len(text) >= len(report) && string(text[:len(report)]) == report {
		return maxReport
	}
	return maxRecord
}
