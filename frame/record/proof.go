package record

import "strconv"

// ProofParts is how many answers a proof has.
const ProofParts = 8

// AppendProof appends that the client is to do some work; see Proof of work in the
// package comment.
func AppendProof(dst []byte, seed string, bits int) []byte {
	dst = appendText(begin(dst, TypeProof), "seed", seed)
	return end(appendInt(dst, "bits", int64(bits)))
}

// appendAnswers appends the fields of Proof.
func appendAnswers(dst []byte, cmd *Command) []byte {
	dst = append(appendKey(appendText(dst, "seed", cmd.Token), "answers"), '[')
	for i, n := range cmd.Answers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(n), 10)
	}
	return append(dst, ']')
}

func parseProof(o *object, cmd *Command) *Error {
	v := o.get("seed")
	if v == nil || v[0] != '"' {
		return errToken
	}
	seed := unquote(v)
	if len(seed) == 0 || len(seed) > maxToken {
		return errToken
	}
	cmd.Token = string(seed)
	s := scanner{b: o.get("answers")}
	if !s.skip('[') {
		return errAnswers
	}
	n := 0
	for ; s.element(n); n++ {
		start := s.i
		if n == ProofParts || !s.number() {
			return errAnswers
		}
		answer, err := strconv.ParseUint(string(s.b[start:s.i]), 10, 32)
		if err != nil {
			return errAnswers
		}
		cmd.Answers[n] = uint32(answer)
	}
	if n != ProofParts {
		return errAnswers
	}
	return nil
}
