// Command clock runs the service clock on its own: it turns passing deadlines into events.
package main

import (
	"os"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/clock"
)

func main() {
	os.Exit(services.Main("clock", "turns passing deadlines into events", "127.0.0.1:8087", clock.New))
}
