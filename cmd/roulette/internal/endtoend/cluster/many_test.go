//go:build long

package cluster

const (
	couples = 30
	losses  = 20
)

var kinds = []string{"node killed", "bus killed", "node stopped", "bus stopped", "node cut off"}
