package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/relais-fr/relais/services/proof/bench/peer"
)

// peerCommand makes this program a peer instead: `proof bench peer …`. It is how the
// bench starts them as processes of their own.
const peerCommand = "peer"

// peer starts this program again, as a peer.
func (b *bench) peer(name string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return b.start(name, self, nil, append([]string{"bench", peerCommand}, args...)...)
}

func peerMain(ctx context.Context, args []string, problems io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case len(args) == 4 && args[0] == "loop":
		err = peer.Loop(ctx, strings.Split(args[1], ","), args[2], args[3], partitions)
	case len(args) == 5 && args[0] == "door":
		err = peer.Door(ctx, args[1], strings.Split(args[2], ","), args[3], args[4])
	default:
		err = fmt.Errorf("no peer %q", args)
	}
	if err != nil {
		_, _ = fmt.Fprintf(problems, "proof bench peer: %v\n", err)
		return 1
	}
	return 0
}
