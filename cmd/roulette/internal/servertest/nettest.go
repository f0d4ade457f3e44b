package servertest

import "roulette/netpoll/nettest"

// Patience bounds whatever a test waits for.
const Patience = nettest.Patience

// Names of package nettest that go with a [Conn].
var (
	Await       = nettest.Await
	CheckLeaks  = nettest.CheckLeaks
	Parallel    = nettest.Parallel
	Main        = nettest.Main
	Descriptors = nettest.Descriptors
	Targets     = nettest.Targets
)
