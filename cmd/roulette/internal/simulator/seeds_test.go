package simulator

// seeds have failed once, and for a reason that was in the server.
var seeds = []struct {
	seed  uint64
	found string
}{}
