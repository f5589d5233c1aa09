package plug

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/relais-fr/relais/services/proof/cluster"
)

func one[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// of are the processes of a kind that are an installation's own.
func of(w *World, kind string) (list []*cluster.Process) {
	for _, p := range w.Installation.Of(kind) {
		if p.Name != OldOwner {
			list = append(list, p)
		}
	}
	return list
}

func killService(kind string) func(context.Context, *World, *rand.Rand) (string, Mend, error) {
	return func(_ context.Context, w *World, r *rand.Rand) (string, Mend, error) {
		p := one(r, of(w, kind))
		p.Kill()
		return p.Name, func(context.Context) error { return p.Start() }, nil
	}
}

func pauseService(kind string) func(context.Context, *World, *rand.Rand) (string, Mend, error) {
	return func(_ context.Context, w *World, r *rand.Rand) (string, Mend, error) {
		p := one(r, of(w, kind))
		p.Pause()
		return p.Name, func(context.Context) error { p.Resume(); return nil }, nil
	}
}

// OldOwner is the process that keeps writing.
const OldOwner = "ledger-3"

// oldOwner starts one more ledger, which takes part as any other; when the group
// gives its partitions to others, it goes on with them all the same. Another one
// leaves and comes back meanwhile, so that partitions change hands.
func oldOwner(ctx context.Context, w *World, r *rand.Rand) (string, Mend, error) {
	old, err := oldLedger(ctx, w)
	if err != nil {
		return OldOwner, nil, err
	}
	other := one(r, of(w, "ledger"))
	pauses := []time.Duration{3 + time.Duration(r.IntN(3)), time.Duration(r.IntN(5)), 2 + time.Duration(r.IntN(3)), time.Duration(r.IntN(5))}
	changing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var hands sync.WaitGroup
	hands.Go(func() {
		for i, pause := range pauses {
			if !cluster.Sleep(changing, pause*time.Second) {
				return
			}
			if i%2 == 0 {
				other.Kill()
			} else {
				_ = other.Start() // tried again when it is mended
			}
		}
	})
	mend := func(context.Context) error {
		stop()
		hands.Wait()
		old.Kill()
		return other.Start()
	}
	return OldOwner + ", while " + other.Name + " leaves and comes back", mend, nil
}

func oldLedger(ctx context.Context, w *World) (*cluster.Process, error) {
	for _, p := range w.Installation.Of("ledger") {
		if p.Name == OldOwner {
			return p, p.Start()
		}
	}
	return w.Installation.Add(ctx, "ledger", 3)
}

// storm has strangers join and leave the groups that share out partitions.
func storm(_ context.Context, w *World, r *rand.Rand) (string, Mend, error) {
	raging, stop := context.WithCancel(context.Background())
	var members sync.WaitGroup
	for group, topic := range map[string]string{"ledger": "submitted", "router": "recorded", "gateway": "from.cnaf", "inbox": "to.offices", "courier": "to.cnaf"} {
		pace := rand.New(rand.NewPCG(r.Uint64(), 1))
		members.Go(func() { comeAndGo(raging, w, pace, w.Installation.Prefix+"."+group, w.Installation.Prefix+"."+topic) })
	}
	mend := func(context.Context) error {
		stop()
		members.Wait()
		return nil
	}
	return "in all groups", mend, nil
}

func comeAndGo(ctx context.Context, w *World, r *rand.Rand, group, topic string) {
	for ctx.Err() == nil {
		client, err := w.Cluster.Client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(kgo.RangeBalancer()), kgo.DisableAutoCommit())
		if err != nil {
			return
		}
		stay, cancel := context.WithTimeout(ctx, time.Duration(200+r.IntN(1500))*time.Millisecond)
		for stay.Err() == nil {
			client.PollFetches(stay)
		}
		cancel()
		left := make(chan struct{})
		go func() { defer close(left); client.Close() }()
		select {
		case <-left:
		case <-time.After(5 * time.Second):
		}
		cluster.Sleep(ctx, time.Duration(200+r.IntN(2500))*time.Millisecond)
	}
}

// jumps are of the clock: what the broker takes, and what it does not. None is as
// far back as a day: such a gateway takes the present for more than a day ahead and
// refuses what says so, for good, which no client could be blamed for.
var jumps = []string{"-20h", "-90s", "-3s", "20s", "50s", "10m", "72h"}

func clockJump(_ context.Context, w *World, r *rand.Rand) (string, Mend, error) {
	jump := one(r, jumps)
	mend := func(context.Context) error { return os.WriteFile(w.Clock, []byte("0s"), 0o600) }
	return "by " + jump, mend, os.WriteFile(w.Clock, []byte(jump), 0o600)
}

func killHub(_ context.Context, w *World, r *rand.Rand) (string, Mend, error) {
	// Not in step with anything that the hub does.
	time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
	w.Hub.Kill()
	return "hub", func(ctx context.Context) error { return startHub(ctx, w) }, nil
}

func startHub(ctx context.Context, w *World) error {
	if err := w.Hub.Start(); err != nil {
		return err
	}
	return w.Hub.AwaitReady(ctx, 30*time.Second)
}

// killStarting kills the hub at moments of its start, later and later.
func killStarting(ctx context.Context, w *World, r *rand.Rand) (string, Mend, error) {
	w.Hub.Kill()
	times := 2 + r.IntN(4)
	for range times {
		if err := w.Hub.Start(); err != nil {
			return "hub", nil, err
		}
		if !cluster.Sleep(ctx, time.Duration(r.IntN(700))*time.Millisecond) {
			break
		}
		w.Hub.Kill()
	}
	return fmt.Sprintf("hub, %d times", times), func(ctx context.Context) error { return startHub(ctx, w) }, nil
}

func pauseHub(_ context.Context, w *World, _ *rand.Rand) (string, Mend, error) {
	w.Hub.Pause()
	return "hub", func(context.Context) error { w.Hub.Resume(); return nil }, nil
}

// hubDisk fills the disk: up to where the hub's doors close by themselves, or to
// its end.
func hubDisk(_ context.Context, w *World, r *rand.Rand) (string, Mend, error) {
	left := int64(r.IntN(2)) * (32 << 20)
	mend := func(ctx context.Context) error {
		if err := cluster.Free(w.FullDisk); err != nil {
			return err
		}
		return startHub(ctx, w)
	}
	return fmt.Sprintf("%d MiB are left", left>>20), mend, cluster.Fill(w.FullDisk, left)
}
