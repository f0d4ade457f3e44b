// Package long has tests of the real program that take minutes, or crowds that are there
// for figures: go test -tags long, which .ci/run does.
package long
