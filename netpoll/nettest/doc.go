// Package nettest is what the tests of all packages share that have to do with the
// process and the machine: how long to be patient, the one way to wait for a condition
// ([Await]), the check that neither goroutines nor descriptors are left behind
// ([CheckLeaks], [Main]), tests that wait side by side ([Parallel]), and whether the race detector is on ([RaceEnabled]). It knows nothing
// of this module.
package nettest
