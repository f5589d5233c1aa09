// Command ledger runs the service ledger on its own: it judges meaning: whether a submission is allowed now, for these parties.
package main

import (
	"os"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/ledger"
)

func main() {
	os.Exit(services.Main("ledger", "judges meaning: whether a submission is allowed now, for these parties", "127.0.0.1:8085", ledger.New))
}
