// Command router runs the service router on its own: it copies each outcome to those whom it concerns.
package main

import (
	"os"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/router"
)

func main() {
	os.Exit(services.Main("router", "copies each outcome to those whom it concerns", "127.0.0.1:8086", router.New))
}
