//go:build !long

package upgrade

// long tells whether the tests may take minutes: go test -tags long.
const long = false
