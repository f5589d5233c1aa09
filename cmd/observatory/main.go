// Command observatory runs the service observatory on its own: it states and audits what was handed in and given out.
package main

import (
	"os"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/observatory"
)

func main() {
	os.Exit(services.Main("observatory", "issues signed statements and audits the log", "127.0.0.1:8088", observatory.New))
}
