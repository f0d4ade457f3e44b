// Package safety tests, with the tag long, people beside those whom they are to be kept
// from, on the real program: whom they have blocked, and bots in numbers.
package safety
