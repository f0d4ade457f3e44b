package record

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendHello appends the first record of a connection. maxMessage is in bytes.
func AppendHello(dst []byte, session string, online, maxMessage int) []byte {
	dst = appendText(begin(dst, TypeHello), "session", session)
	dst = appendInt(dst, "online", int64(online))
	dst = appendInt(dst, "max_message", int64(maxMessage))
	return end(dst)
}

// Terms are what the server's answer to a client's hello says.
type Terms struct {
	Can       Can           // both
	Heartbeat time.Duration // with CanHeartbeat: how long the client may be silent,
	Hidden    time.Duration // and how long while it is hiding
	People    int           // with CanPeople: in the chat
}

// AppendTerms appends the server's second hello.
func AppendTerms(dst []byte, t Terms) []byte {
	dst = appendCan(begin(dst, TypeHello), t.Can)
	if t.Can&CanHeartbeat != 0 {
		dst = appendSeconds(dst, "heartbeat", t.Heartbeat)
		dst = appendSeconds(dst, "hidden", t.Hidden)
	}
	if t.Can&CanPeople != 0 {
		dst = appendInt(dst, "people", int64(t.People))
	}
	return end(dst)
}

// AppendWaiting appends that the client is in the pool. alone and patience, for
// how long it takes only some, are for those who have said hello; 0 for others.
func AppendWaiting(dst []byte, alone bool, patience time.Duration) []byte {
	dst = begin(dst, TypeWaiting)
	if alone {
		dst = appendBool(dst, "alone", true)
	}
	if patience > 0 {
		dst = appendSeconds(dst, "patience", patience)
	}
	return end(dst)
}

// AppendPaired appends that a partner was found, who shares the interests in
// common, and these languages; nil if the client has named none. token, if there is
// one, is what the pairing can be resumed with, and opening what the partner can be
// reported and blocked with.
func AppendPaired(dst []byte, pair uint32, again bool, common, languages []string, token, opening []byte) []byte {
	dst = appendInt(begin(dst, TypePaired), "pair", int64(pair))
	if again {
		dst = appendBool(dst, "again", true)
	}
	dst = appendList(dst, "common", common)
	if languages != nil {
		dst = appendList(dst, "common_languages", languages)
	}
	return end(appendSealed(appendSealed(dst, "resume", token), "opening", opening))
}

// AppendLeft appends that the partner is gone.
func AppendLeft(dst []byte, pair uint32, reason Reason) []byte {
	dst = appendInt(begin(dst, TypeLeft), "pair", int64(pair))
	return end(appendText(dst, "reason", string(reason)))
}

// AppendTyping appends whether the partner is typing.
func AppendTyping(dst []byte, pair uint32, on bool) []byte {
	dst = appendInt(begin(dst, TypeTyping), "pair", int64(pair))
	return end(appendBool(dst, "on", on))
}

// AppendOnline appends how many are connected.
func AppendOnline(dst []byte, n int) []byte {
	return end(appendInt(begin(dst, TypeOnline), "n", int64(n)))
}

// AppendUndelivered appends that n messages were dropped, as the pairing had
// ended, or none had begun if pair is 0.
func AppendUndelivered(dst []byte, pair uint32, n uint64) []byte {
	dst = appendInt(begin(dst, TypeUndelivered), "pair", int64(pair))
	dst = strconv.AppendUint(appendKey(dst, "n"), n, 10)
	return end(dst)
}

// AppendPong appends the answer to a ping.
func AppendPong(dst []byte, n uint64) []byte {
	return end(appendInt(begin(dst, TypePong), "n", int64(n)))
}

// AppendAway appends that the partner does not read.
func AppendAway(dst []byte, pair uint32, reason Reason) []byte {
	dst = appendInt(begin(dst, TypeAway), "pair", int64(pair))
	return end(appendText(dst, "reason", string(reason)))
}

// AppendBack appends that the partner reads again.
func AppendBack(dst []byte, pair uint32) []byte {
	return end(appendInt(begin(dst, TypeBack), "pair", int64(pair)))
}

// AppendNotice appends what the operator has to say, and until when it is news, in Unix
// time; 0 with NoticeNone.
func AppendNotice(dst []byte, code NoticeCode, until int64) []byte {
	dst = appendText(begin(dst, TypeNotice), "code", string(code))
	if until != 0 {
		dst = appendInt(dst, "until", until)
	}
	return end(dst)
}

// AppendAgain appends, either way, that the partner of a pairing that is over is
// wanted back.
func AppendAgain(dst []byte, pair uint32) []byte {
	return end(appendInt(begin(dst, TypeAgain), "pair", int64(pair)))
}

// AppendError appends why a record was refused.
func AppendError(dst []byte, e *Error) []byte {
	dst = appendText(begin(dst, TypeError), "code", e.Code)
	return end(appendText(dst, "message", e.Message))
}

// AppendNext appends a client's wish for a new partner. With interests nil the
// server keeps those it has, with an empty slice it forgets them. pair is the
// pairing that shall end, or 0 for whichever it is.
func AppendNext(dst []byte, interests []string, pair uint32) []byte {
	return AppendCommand(dst, &Command{
		Kind: Next, Pair: pair, HasPair: pair != 0, HasInterests: interests != nil, Interests: interests,
	})
}

// AppendStop appends a client's wish for no partner.
func AppendStop(dst []byte) []byte { return end(begin(dst, kinds[Stop])) }

// AppendTypingCommand appends whether the client is typing.
func AppendTypingCommand(dst []byte, on bool) []byte {
	return end(appendBool(begin(dst, TypeTyping), "on", on))
}

// AppendCommand appends any record of a client.
func AppendCommand(dst []byte, cmd *Command) []byte {
	dst = begin(dst, cmd.Kind.String())
	switch cmd.Kind {
	case Next:
		if cmd.HasInterests {
			dst = appendList(dst, "interests", cmd.Interests)
		}
		if cmd.HasLanguages {
			dst = appendList(dst, "languages", cmd.Languages)
		}
		if cmd.HasTable {
			dst = appendText(dst, "table", cmd.Table)
		}
		if cmd.HasPair {
			dst = appendInt(dst, "pair", int64(cmd.Pair))
		}
	case Typing:
		dst = appendBool(dst, "on", cmd.On)
	case Hello:
		dst = appendCan(dst, cmd.Can)
		if cmd.Blocked != nil {
			dst = appendList(dst, "blocked", cmd.Blocked)
		}
	case Ping:
		dst = appendInt(dst, "n", int64(cmd.N))
	case Again:
		dst = appendInt(dst, "pair", int64(cmd.Pair))
	case Resume, Have, Resend:
		dst = appendReturn(dst, cmd)
	case Report:
		dst = appendReport(dst, cmd)
	case Block:
		dst = appendText(dst, "opening", cmd.Opening)
	case Proof:
		dst = appendAnswers(dst, cmd)
	}
	return end(dst)
}

func begin(dst []byte, typ string) []byte {
	dst = append(dst, separator)
	dst = append(dst, `{"type":"`...)
	dst = append(dst, typ...)
	return append(dst, '"')
}

func end(dst []byte) []byte { return append(dst, '}', '\n') }

// appendKey appends all of a field but its value. key needs no escapes.
func appendKey(dst []byte, key string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

func appendInt(dst []byte, key string, n int64) []byte {
	return strconv.AppendInt(appendKey(dst, key), n, 10)
}

// appendSeconds appends a duration as a number of seconds.
func appendSeconds(dst []byte, key string, d time.Duration) []byte {
	return strconv.AppendFloat(appendKey(dst, key), d.Seconds(), 'f', -1, 64)
}

func appendBool(dst []byte, key string, v bool) []byte {
	return strconv.AppendBool(appendKey(dst, key), v)
}

func appendText(dst []byte, key, text string) []byte {
	return appendString(appendKey(dst, key), text)
}

func appendList(dst []byte, key string, list []string) []byte {
	dst = append(appendKey(dst, key), '[')
	for i, text := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, text)
	}
	return append(dst, ']')
}

// appendString appends text as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, so that no text, whatever it is, makes a message that the receiver has
// to refuse; and no separator is left in it that would begin another record.
func appendString(dst []byte, text string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, size := utf8.DecodeRuneInString(text[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
			continue
		}
		i++
	}
	return append(dst, '"')
}
