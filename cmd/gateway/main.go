// Command gateway runs the service gateway on its own: it judges the form of what is handed in, at the HTTP door and on the from topics.
package main

import (
	"os"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/gateway"
)

func main() {
	os.Exit(services.Main("gateway", "judges the form of what is handed in, at the HTTP door and on the from topics", "127.0.0.1:8080", gateway.New))
}
