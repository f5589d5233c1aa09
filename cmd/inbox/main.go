// Command inbox runs the service inbox on its own: it is the office's list and live page.
package main

import (
	"os"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/inbox"
)

func main() {
	os.Exit(services.Main("inbox", "is the office's list and live page", "127.0.0.1:8082", inbox.New))
}
