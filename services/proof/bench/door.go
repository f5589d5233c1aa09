package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// door measures POST /v1/events with everything on beside a bare handler, on real
// Kafka: gateway, directory and registry run, nobody judges or delivers meanwhile.
func (b *bench) door(ctx context.Context) error {
	if !b.wants(realOnes) {
		return nil
	}
	c, err := b.real(ctx)
	if errors.Is(err, errMissing) {
		b.table.add("the HTTP door", "", "", "not measured: "+err.Error(), "")
		return nil
	}
	if err != nil {
		return err
	}
	const prefix = "door"
	client, err := c.client(prefix)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if err := c.found(ctx, client, prefix); err != nil {
		return err
	}
	defer func() { _ = c.abandon(context.WithoutCancel(ctx), client, prefix) }()
	directory, err := c.service(ctx, "directory", prefix, 2)
	if err != nil {
		return err
	}
	defer directory.stop()
	gateway, err := c.service(ctx, "gateway", prefix, 3)
	if err != nil {
		return err
	}
	defer gateway.stop()
	bare, err := b.peer("bare-door", "door", c.door(20), strings.Join(c.kafka, ","), prefix+".recorded", c.registryURL)
	if err != nil {
		return err
	}
	defer bare.stop()
	if err := errors.Join(directory.ready(ctx, c.door(2)), gateway.ready(ctx, c.door(3)), bare.ready(ctx, c.door(20))); err != nil {
		return err
	}
	return b.doorRounds(ctx, c.door(3), c.door(20))
}

func (b *bench) doorRounds(ctx context.Context, ours, theirs string) error {
	type figures struct {
		perSecond []float64
		p99       []time.Duration
	}
	taken := map[string]*figures{ours: {}, theirs: {}}
	order := []string{ours, theirs}
	// The first round warms both, and the brokers, and is not counted.
	for round := range b.Rounds + 1 {
		for i := range order {
			address := order[(round+i)%len(order)]
			times, refused, err := saturate(ctx, entry{address: address, token: "dev-feeder"}, fmt.Sprintf("r%d", round), b.DoorConns, b.DoorTime)
			if err != nil {
				return err
			}
			if refused > 0 {
				return fmt.Errorf("%s refused %d and took %d", address, refused, len(times))
			}
			if round == 0 {
				continue
			}
			f := taken[address]
			f.perSecond = append(f.perSecond, float64(len(times))/b.DoorTime.Seconds())
			f.p99 = append(f.p99, quantile(times, .99))
			b.say("door %s: %s/s, p99 %s ms", map[string]string{ours: "with everything on", theirs: "bare"}[address], thousands(f.perSecond[round-1]), ms(f.p99[round-1]))
		}
	}
	a, z := taken[ours], taken[theirs]
	b.table.add(fmt.Sprintf("the HTTP door with everything on, %d connections; beside a bare handler, Avro and group commit", b.DoorConns),
		rate(a.perSecond, "requests/s"), rate(z.perSecond, "requests/s"), ratio(a.perSecond, z.perSecond), "≥ 0.6")
	b.table.add("the same, p99", ms(median(a.p99))+" ms", ms(median(z.p99))+" ms", ratio(seconds(a.p99), seconds(z.p99)), "")
	return nil
}
