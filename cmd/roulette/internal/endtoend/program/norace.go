//go:build !race

package program

// RaceEnabled says whether the tests, and so the program, are built with the race
// detector.
const RaceEnabled = false
