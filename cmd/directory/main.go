// Command directory runs the service directory on its own: it owns participants, offices and services, and publishes them.
package main

import (
	"os"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/directory"
)

func main() {
	os.Exit(services.Main("directory", "owns participants, offices and services, and publishes them", "127.0.0.1:8083", directory.New))
}
