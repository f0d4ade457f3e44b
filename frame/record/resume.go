package record

import "strconv"

// The records of a break and a return; see Resume in the package comment.

// AppendResumed appends that a client has its place back, in the pairing that is
// its pair-th now, what it can be resumed with next time, and with what the partner can
// be reported and blocked from now on.
func AppendResumed(dst []byte, pair uint32, token, opening []byte) []byte {
	dst = appendInt(begin(dst, TypeResumed), "pair", int64(pair))
	return end(appendSealed(appendSealed(dst, "resume", token), "opening", opening))
}

// AppendSync appends the question how many messages of the partner were shown.
func AppendSync(dst []byte, pair uint32, generation uint64) []byte {
	dst = appendInt(begin(dst, TypeSync), "pair", int64(pair))
	return end(appendInt(dst, "gen", int64(generation)))
}

// AppendReturned appends that the partner is back after a break, having shown have
// messages.
func AppendReturned(dst []byte, pair uint32, generation, have uint64) []byte {
	dst = appendInt(begin(dst, TypeBack), "pair", int64(pair))
	dst = appendInt(dst, "gen", int64(generation))
	return end(appendInt(dst, "have", int64(have)))
}

// AppendHave appends that the partner has shown n messages.
func AppendHave(dst []byte, pair uint32, n uint64) []byte {
	dst = appendInt(begin(dst, TypeHave), "pair", int64(pair))
	return end(appendInt(dst, "n", int64(n)))
}

// AppendResend appends that the partner begins again with its message number from,
// having forgotten the lost ones before it.
func AppendResend(dst []byte, pair uint32, from, lost uint64) []byte {
	dst = appendInt(begin(dst, TypeResend), "pair", int64(pair))
	dst = appendInt(dst, "from", int64(from))
	return end(appendInt(dst, "lost", int64(lost)))
}

// appendReturn appends the fields of Resume, Have and Resend.
func appendReturn(dst []byte, cmd *Command) []byte {
	switch cmd.Kind {
	case Resume:
		dst = appendText(dst, "token", cmd.Token)
		dst = appendInt(dst, "have", int64(cmd.N))
		return appendInt(dst, "try", int64(cmd.Try))
	case Have:
		dst = appendInt(dst, "pair", int64(cmd.Pair))
		if cmd.Generation != 0 {
			dst = appendInt(dst, "gen", int64(cmd.Generation))
		}
		return appendInt(dst, "n", int64(cmd.N))
	}
	dst = appendInt(dst, "gen", int64(cmd.Generation))
	dst = appendInt(dst, "from", int64(cmd.From))
	return appendInt(dst, "lost", int64(cmd.Lost))
}

// parseNumber reads a field that has to be an integer of least or more.
func parseNumber(o *object, key string, least uint64, wrong *Error) (uint64, *Error) {
	n, err := strconv.ParseUint(string(o.get(key)), 10, 64)
	if err != nil || n < least || n > maxNumber {
		return 0, wrong
	}
	return n, nil
}

func parseResume(o *object, cmd *Command) (refused *Error) {
	v := o.get("token")
	if v == nil || v[0] != '"' {
		return errToken
	}
	token := unquote(v)
	if len(token) == 0 || len(token) > maxToken {
		return errToken
	}
	cmd.Token = string(token)
	if cmd.N, refused = parseNumber(o, "have", 0, errHave); refused != nil {
		return refused
	}
	try, err := strconv.ParseUint(string(o.get("try")), 10, 32)
	if err != nil || try == 0 {
		return errTry
	}
	cmd.Try = uint32(try)
	return nil
}

func parseHave(o *object, cmd *Command) (refused *Error) {
	if refused = parsePair(o, cmd); refused != nil {
		return refused
	}
	if !cmd.HasPair {
		return errAgainPair
	}
	if o.get("gen") != nil {
		if cmd.Generation, refused = parseNumber(o, "gen", 1, errGeneration); refused != nil {
			return refused
		}
	}
	cmd.N, refused = parseNumber(o, "n", 0, errN)
	return refused
}

func parseResend(o *object, cmd *Command) (refused *Error) {
	if cmd.Generation, refused = parseNumber(o, "gen", 1, errGeneration); refused != nil {
		return refused
	}
	if cmd.From, refused = parseNumber(o, "from", 1, errFrom); refused != nil {
		return refused
	}
	cmd.Lost, refused = parseNumber(o, "lost", 0, errLost)
	if refused == nil && cmd.Lost >= cmd.From {
		return errLost
	}
	return refused
}
