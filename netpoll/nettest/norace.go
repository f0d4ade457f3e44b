//go:build !race

package nettest

// RaceEnabled says whether the tests, and so the program, run with the race
// detector.
const RaceEnabled = false
