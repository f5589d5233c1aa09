// Command hub runs the whole hub in one process: every service, an embedded
// broker and an embedded store. It is the default.
package main

import (
	"os"

	"github.com/relais-fr/relais/services/hub"
)

func main() { os.Exit(hub.Main()) }
