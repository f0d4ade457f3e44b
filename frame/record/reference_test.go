package record

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// reference reads the text of one record the slow and obvious way: with
// encoding/json, and with a look at everything that lets pass. code is that of the
// error, empty without one.
func reference(text []byte) (cmd Command, code string) {
	bad := ErrBadRecord.Code
	most := 4096
	if bytes.HasPrefix(text, []byte(`{"type":"report",`)) {
		most = 65536
	}
	if 1+len(text) > most || !utf8.Valid(text) || !json.Valid(text) || hasHalfPair(text) {
		return Command{}, bad
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	value, ok := build(d, 4)
	record, isObject := value.(map[string]any)
	if !ok || !isObject {
		return Command{}, bad
	}
	switch record["type"] {
	case "stop":
		return Command{Kind: Stop}, ""
	case "typing":
		on, ok := record["on"].(bool)
		if !ok {
			return Command{}, bad
		}
		return Command{Kind: Typing, On: on}, ""
	case "hello":
		can, isArray := record["can"].([]any)
		if !isArray || len(can) > 32 {
			return Command{}, bad
		}
		for _, word := range can {
			text, isString := word.(string)
			if !isString {
				return Command{}, bad
			}
			if i := slices.Index([]string{"heartbeat", "away", "people", "again", "languages", "tables", "resume", "notice", "report", "block"}, text); i >= 0 {
				cmd.Can |= 1 << i
			}
		}
		if names, has := record["blocked"]; has {
			list, isArray := names.([]any)
			if !isArray || len(list) > 64 {
				return Command{}, bad
			}
			for _, name := range list {
				text, isString := name.(string)
				if !isString {
					return Command{}, bad
				}
				cmd.Blocked = append(cmd.Blocked, text)
			}
		}
		cmd.Kind = Hello
		return cmd, ""
	case "report", "block":
		return referenceReport(record)
	case "resume":
		token, _ := record["token"].(string)
		have, ok1 := integer(record["have"])
		try, ok2 := integer(record["try"])
		if len(token) == 0 || len(token) > 128 || !ok1 || have > 9007199254740991 || !ok2 || try == 0 || try > math.MaxUint32 {
			return Command{}, bad
		}
		return Command{Kind: Resume, Token: token, N: have, Try: uint32(try)}, ""
	case "ping":
		n, ok := integer(record["n"])
		if !ok || n > 9007199254740991 {
			return Command{}, bad
		}
		return Command{Kind: Ping, N: n}, ""
	case "hiding":
		return Command{Kind: Hiding}, ""
	case "shown":
		return Command{Kind: Shown}, ""
	case "again":
		n, ok := integer(record["pair"])
		if !ok || n == 0 || n > math.MaxUint32 {
			return Command{}, bad
		}
		return Command{Kind: Again, Pair: uint32(n), HasPair: true}, ""
	case "next":
	default:
		return Command{}, bad
	}

	cmd.Kind = Next
	if pair, has := record["pair"]; has {
		n, ok := integer(pair)
		if !ok || n > math.MaxUint32 {
			return Command{}, bad
		}
		cmd.Pair, cmd.HasPair = uint32(n), true
	}
	if interests, has := record["interests"]; has {
		list, isArray := interests.([]any)
		if !isArray {
			return Command{}, bad
		}
		cmd.HasInterests, cmd.Interests = true, []string{}
		for i, element := range list {
			if i == 10 {
				return Command{}, ErrTooManyInterests.Code
			}
			interest, isString := element.(string)
			if !isString {
				return Command{}, bad
			}
			interest, refused := normalise([]byte(interest), &interestForm)
			if refused != nil {
				return Command{}, bad
			}
			if !slices.Contains(cmd.Interests, interest) {
				cmd.Interests = append(cmd.Interests, interest)
			}
		}
	}
	if languages, has := record["languages"]; has {
		list, isArray := languages.([]any)
		if !isArray || len(list) > 5 {
			return Command{}, bad
		}
		cmd.HasLanguages, cmd.Languages = true, []string{}
		for _, element := range list {
			language, _ := element.(string)
			if !regexp.MustCompile(`^[a-zA-Z]{2,8}$`).MatchString(language) {
				return Command{}, bad
			}
			if language = strings.ToLower(language); !slices.Contains(cmd.Languages, language) {
				cmd.Languages = append(cmd.Languages, language)
			}
		}
	}
	if table, has := record["table"]; has {
		name, isString := table.(string)
		if !isString {
			return Command{}, bad
		}
		cmd.HasTable = true
		if name != "" {
			var refused *Error
			if cmd.Table, refused = normalise([]byte(name), &tableForm); refused != nil {
				return Command{}, bad
			}
		}
	}
	return cmd, ""
}

// referenceReport reads a report or a block.
func referenceReport(record map[string]any) (cmd Command, code string) {
	bad, sound := ErrBadRecord.Code, true
	sealed := func(key string, must bool) string {
		value, has := record[key]
		text, isString := value.(string)
		sound = sound && (!has && !must || isString && text != "" && len(text) <= 256)
		return text
	}
	if cmd.Opening = sealed("opening", true); record["type"] == "block" {
		cmd.Kind = Block
		if !sound {
			return Command{}, bad
		}
		return cmd, ""
	}
	cmd.Kind, cmd.First, cmd.Last = Report, sealed("first", false), sealed("last", true)
	cmd.Reason, _ = record["reason"].(string)
	text, has := record["text"]
	cmd.Text, _ = text.(string)
	_, isString := text.(string)
	messages, _ := record["messages"].([]any)
	if !sound || !slices.Contains(ReportReasons[:], cmd.Reason) || has && !isString || utf8.RuneCountInString(cmd.Text) > 1000 ||
		len(messages) == 0 || len(messages) > 32 {
		return Command{}, bad
	}
	for _, m := range messages {
		fields, _ := m.(map[string]any)
		text, hasText := fields["text"]
		binary, hasBinary := fields["binary"]
		content, isString := text.(string)
		encoded, isBinary := binary.(string)
		if hasText == hasBinary || hasText && !isString || hasBinary && !isBinary {
			return Command{}, bad
		}
		if hasText {
			cmd.Messages = append(cmd.Messages, Relayed{Payload: append([]byte{}, content...)})
			continue
		}
		payload, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if err != nil {
			return Command{}, bad
		}
		cmd.Messages = append(cmd.Messages, Relayed{Binary: true, Payload: append([]byte{}, payload...)})
	}
	return cmd, ""
}

// integer is a number that is written in plain digits.
func integer(v any) (n uint64, ok bool) {
	number, _ := v.(json.Number)
	n, err := strconv.ParseUint(number.String(), 10, 64)
	return n, err == nil && strconv.FormatUint(n, 10) == number.String()
}

// build reads a value of valid JSON. It is not ok if it is too deep, or if an
// object has too many fields, or one twice.
func build(d *json.Decoder, depth int) (value any, ok bool) {
	token, err := d.Token()
	if err != nil {
		panic(err)
	}
	delim, nested := token.(json.Delim)
	if !nested {
		return token, true
	}
	if depth == 0 {
		return nil, false
	}
	object, array := map[string]any{}, []any{}
	for d.More() {
		var key string
		if delim == '{' {
			token, _ := d.Token()
			key = token.(string)
		}
		value, ok := build(d, depth-1)
		if _, twice := object[key]; !ok || twice || delim == '{' && len(object) == 32 {
			return nil, false
		}
		if delim == '{' {
			object[key] = value
		} else {
			array = append(array, value)
		}
	}
	d.Token()
	if delim == '{' {
		return object, true
	}
	return array, true
}

// escapes are those of a valid JSON text, the first half of a surrogate pair with
// what follows it.
var escapes = regexp.MustCompile(`\\u[dD][89abAB]..(\\u[0-9a-fA-F]{4})?|\\u....|\\.`)

// hasHalfPair reports whether an escape in a valid JSON text is half a surrogate
// pair. encoding/json takes that for U+FFFD.
func hasHalfPair(text []byte) bool {
	for _, e := range escapes.FindAll(text, -1) {
		unit := func(i int) rune {
			n, _ := strconv.ParseUint(string(e[i:i+4]), 16, 16)
			return rune(n)
		}
		switch {
		case e[1] != 'u' || !utf16.IsSurrogate(unit(2)):
		case len(e) < 12 || utf16.DecodeRune(unit(2), unit(8)) == utf8.RuneError:
			return true
		}
	}
	return false
}
