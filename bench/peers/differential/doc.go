// Package differential holds package frame against other people's reading of RFC
// 6455: any stream of bytes is accepted by github.com/gorilla/websocket and
// github.com/coder/websocket as it is by us, with the same messages, pongs and
// close code, or else for a reason that stands in a table, with its section.
//
// Our offences are found at the first byte that proves them, the libraries' often
// later. So a stream is cut off behind that byte, and its last message is
// completed in the most harmless way before a library is asked about it.
//
// There is nothing here but tests:
//
//	go test ./differential
//	go test -fuzz FuzzGorilla ./differential
package differential
