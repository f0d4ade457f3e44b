// Package onlylinux is imported by what needs Linux, so that go build says so
// elsewhere in one sentence and not in a page of names that are undefined.
package onlylinux
