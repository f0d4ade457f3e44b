//go:build !long

package cluster

// What the ordinary form of a test does.
const (
	couples = 12 // who talk through losses
	losses  = 1  // of each kind
)

var kinds = []string{"node killed", "bus killed"}
