// Command courier runs the service courier on its own: it serves those who do not read Kafka.
package main

import (
	"os"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/courier"
)

func main() {
	os.Exit(services.Main("courier", "serves those who do not read Kafka", "127.0.0.1:8084", courier.New))
}
