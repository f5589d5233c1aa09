package ledger

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/relais-fr/relais/services/internal/telemetry"
)

// recheckEvery is how often a halted partition looks whether its logs are whole
// again: somebody may have restored them.
const recheckEvery = 30 * time.Second

// halted are the partitions of this process whose logs do not belong together. Safe
// for concurrent use.
type halted struct {
	mu         sync.Mutex
	partitions map[int]*haltedPartition
}

// haltedPartition waits for a repair.
type haltedPartition struct {
	what string
	asks chan repairAsk
	// over is closed when the partition is halted no longer, or is another's.
	over chan struct{}
}

type repairAsk struct {
	ctx    context.Context
	do     bool
	answer chan repairAnswer
}

type repairAnswer struct {
	repair *repair
	err    error
}

func (h *halted) add(partition int, what string) *haltedPartition {
	p := &haltedPartition{what: what, asks: make(chan repairAsk), over: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.partitions == nil {
		h.partitions = map[int]*haltedPartition{}
	}
	h.partitions[partition] = p
	return p
}

func (h *halted) remove(partition int, p *haltedPartition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(p.over)
	if h.partitions[partition] == p {
		delete(h.partitions, partition)
	}
}

// all are the halted partitions.
func (h *halted) all() map[int]*haltedPartition {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make(map[int]*haltedPartition, len(h.partitions))
	maps.Copy(all, h.partitions)
	return all
}

// halt stops the partition, and it alone, until a repair has mended it or its logs
// are found whole. Doors, and the other partitions, go on.
func (o *owner) halt(ctx context.Context, part string, broken *IntegrityError) {
	o.host.Ready.Halted(part, broken.Error())
	o.log.ErrorContext(ctx, "partition is halted", telemetry.KeyError, broken)
	o.metrics.halted.Inc()
	defer o.metrics.halted.Dec()
	waiting := o.halted.add(o.partition, broken.What)
	defer o.halted.remove(o.partition, waiting)
	recheck := time.NewTimer(recheckEvery)
	defer recheck.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-recheck.C:
			return
		case ask := <-waiting.asks:
			// The caller may go away; the generation may end.
			done, stop := context.WithCancel(ctx)
			unhook := context.AfterFunc(ask.ctx, stop) //nolint:contextcheck // it ends with either
			r, err := o.repaired(done, part, ask.do)
			unhook()
			stop()
			o.host.Ready.Halted(part, broken.Error())
			ask.answer <- repairAnswer{r, err}
			if err == nil && (r.Done || r.Fault == "") {
				return
			}
		}
	}
}
