// Command proof runs what anyone may hold against the hub: faults, benchmarks.
package main

import (
	"os"

	"github.com/relais-fr/relais/services/proof"
)

func main() { os.Exit(proof.Main()) }
