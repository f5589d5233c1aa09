//go:build race

package e2e

// withRace says that the hub is built with the race detector, as these tests are:
// it is then no matter of how quick it is.
const withRace = true
