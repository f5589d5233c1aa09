package plug

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/relais-fr/relais/services/proof/cluster"
)

// whole waits until the brokers have caught up with what was pulled before: two
// away at once is another trial, in which nothing is acknowledged.
func whole(ctx context.Context, w *World) error {
	return w.Cluster.AwaitWhole(ctx, 90*time.Second)
}

func killBroker(ctx context.Context, w *World, r *rand.Rand) (string, Mend, error) {
	b := one(r, w.Cluster.Kafka)
	if err := whole(ctx, w); err != nil {
		return b.Name, nil, err
	}
	b.Kill()
	return b.Name, func(context.Context) error { return b.Start() }, nil
}

func killLeader(ctx context.Context, w *World, r *rand.Rand) (string, Mend, error) {
	topic, partition := w.Installation.Prefix+"."+one(r, []string{"submitted", "recorded"}), r.IntN(4)
	what := fmt.Sprintf("of %s/%d", topic, partition)
	if err := whole(ctx, w); err != nil {
		return what, nil, err
	}
	b, err := w.Cluster.Leader(ctx, topic, partition)
	if err != nil {
		return what, nil, err
	}
	b.Kill()
	return what + ": " + b.Name, func(context.Context) error { return b.Start() }, nil
}

func pauseBroker(ctx context.Context, w *World, r *rand.Rand) (string, Mend, error) {
	b := one(r, w.Cluster.Kafka)
	if err := whole(ctx, w); err != nil {
		return b.Name, nil, err
	}
	b.Pause()
	return b.Name, func(context.Context) error { b.Resume(); return nil }, nil
}

func killRedis(_ context.Context, w *World, _ *rand.Rand) (string, Mend, error) {
	w.Cluster.Redis.Kill()
	return "redis", func(context.Context) error { return w.Cluster.Redis.Start() }, nil
}

func flushRedis(ctx context.Context, w *World, _ *rand.Rand) (string, Mend, error) {
	return "redis", nil, w.Cluster.FlushRedis(ctx)
}

// olderRedis copies Redis' files, lets some seconds pass, and starts it with them.
func olderRedis(ctx context.Context, w *World, r *rand.Rand) (string, Mend, error) {
	age := time.Duration(2+r.IntN(7)) * time.Second
	if err := w.Cluster.CopyRedis(); err != nil {
		return "redis", nil, err
	}
	cluster.Sleep(ctx, age)
	mend := func(context.Context) error { return w.Cluster.Redis.Start() }
	return fmt.Sprintf("redis, as it was %v before", age), mend, w.Cluster.RestoreRedis(ctx)
}

// cut cuts one line: between a service and an engine or the registry, between two
// brokers, or between clients and a gateway.
func cut(ctx context.Context, w *World, r *rand.Rand) (string, Mend, error) {
	a, b := ends(w, r)
	ways := r.IntN(3)
	arrow := []string{" and ", " to ", " from "}[ways]
	what := a.Name + arrow + b.Name
	if strings.HasPrefix(a.Name, "kafka") {
		if err := whole(ctx, w); err != nil {
			return what, nil, err
		}
	}
	mend := w.Cluster.Network.Mend
	if ways != 2 {
		if err := w.Cluster.Network.Cut(ctx, a, b); err != nil {
			return what, mend, err
		}
	}
	if ways != 1 {
		if err := w.Cluster.Network.Cut(ctx, b, a); err != nil {
			return what, mend, err
		}
	}
	return what, mend, nil
}

// ends are those of a line.
func ends(w *World, r *rand.Rand) (a, b *cluster.Site) {
	broker := func() *cluster.Site { return one(r, w.Cluster.Kafka).Site }
	switch n := r.IntN(10); {
	case n == 0:
		return w.Cluster.Clients, one(r, of(w, "gateway")).Site
	case n == 1:
		return w.Cluster.Clients, broker()
	case n <= 3:
		a := r.IntN(len(w.Cluster.Kafka))
		return w.Cluster.Kafka[a].Site, w.Cluster.Kafka[(a+1)%len(w.Cluster.Kafka)].Site
	}
	service := one(r, w.Installation.Parts)
	switch n := r.IntN(10); {
	case n <= 2:
		return service.Site, w.Cluster.Redis.Site
	case n == 3 && service.Kind != "registry":
		return service.Site, w.Installation.Of("registry")[0].Site
	}
	return service.Site, broker()
}

func fullDisk(ctx context.Context, w *World, _ *rand.Rand) (string, Mend, error) {
	b := w.Cluster.Kafka[DiskBroker]
	if err := whole(ctx, w); err != nil {
		return b.Name, nil, err
	}
	mend := func(context.Context) error {
		if err := cluster.Free(w.FullDisk); err != nil {
			return err
		}
		// A broker whose only disk has failed ends; one that has not noticed yet is
		// left alone.
		return b.Start()
	}
	return b.Name, mend, cluster.Fill(w.FullDisk, 0)
}

// DiskBroker is the number of the broker whose disk can be full.
const DiskBroker = cluster.Brokers - 1
