package handshake

import "bytes"

// Cookie is the value of the first cookie of that name in the value of a Cookie field
// (RFC 6265, section 4.2.1), nil if there is none. It lies in cookies. Names differ in
// case; quotes belong to a value.
func Cookie(cookies []byte, name string) (value []byte) {
	for len(cookies) > 0 {
		var pair []byte
		pair, cookies, _ = bytes.Cut(cookies, []byte(";"))
		if n, value, ok := bytes.Cut(trimSpace(pair), []byte("=")); ok && string(n) == name {
			return value
		}
	}
	return nil
}

// InsertField inserts a line, which has no line end, behind the others of a response
// that Upgrade has appended.
func InsertField(response []byte, line ...string) []byte {
	response = response[:len(response)-len("\r\n")]
	for _, part := range line {
		response = append(response, part...)
	}
	return append(response, "\r\n\r\n"...)
}
