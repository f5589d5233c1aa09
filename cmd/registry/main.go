// Command registry runs the service registry on its own: it holds the contracts: a schema registry that Confluent's clients understand.
package main

import (
	"os"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/registry"
)

func main() {
	os.Exit(services.Main("registry", "holds the contracts: a schema registry that Confluent's clients understand", "127.0.0.1:8081", registry.New))
}
