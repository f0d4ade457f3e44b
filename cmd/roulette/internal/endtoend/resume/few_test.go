//go:build !long

package resume

// How many pairs there are, and how often their server is killed.
const crowd, deaths = 100, 3
