package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"
)

// The timing of consumer groups. A second member has its partitions well within
// a second; a member that died loses them after the session's six, the least
// that brokers allow by default.
const (
	heartbeatInterval = 500 * time.Millisecond
	sessionTimeout    = 6 * time.Second
	rebalanceTimeout  = 10 * time.Second
	joinBackoff       = 300 * time.Millisecond
	partitionWatch    = 5 * time.Second
	groupTimeout      = 5 * time.Second
	// closeTimeout bounds leaving the group; the library's Close can hang in a
	// rebalance. The broker then takes the member out after its session.
	closeTimeout = 8 * time.Second
)

// Consume shares the partitions of the topics among the members of a consumer
// group and runs handle for each partition that this member is given, in a
// goroutine of its own, until ctx ends (then it returns nil) or handle fails.
// The topics must exist; Consume waits until they do.
//
// handle's context ends with the generation; handle must then return soon, with
// nil or the context's error, for the whole group waits. Any other error stops
// Consume. A handle that returns nil earlier is called again in the next
// generation only.
//
// What handle does after its context has ended may happen at the same time as
// another member's work on the partition; only Claim.Commit is fenced.
func (b *Broker) Consume(ctx context.Context, group string, topics []string, handle func(ctx context.Context, c *Claim) error) error {
	return b.ConsumeNoted(ctx, group, "", topics, handle)
}

// ConsumeNoted is Consume as a member that tells the group something of itself:
// Members shows the note for as long as the member lives.
func (b *Broker) ConsumeNoted(ctx context.Context, group, note string, topics []string, handle func(ctx context.Context, c *Claim) error) error {
	if err := b.WaitTopics(ctx, topics...); err != nil {
		return ended(ctx, err)
	}
	if err := b.probe(ctx, group, topics); err != nil {
		return ended(ctx, fmt.Errorf("consumer group %s: %w", group, err))
	}
	members, err := kafka.NewConsumerGroup(b.groupConfig(group, note, topics))
	if err != nil {
		return fmt.Errorf("consumer group %s: %w", group, err)
	}
	m := &member{b: b, group: group, handle: handle}
	err = m.run(ctx, members)
	if !closeWithin(members, closeTimeout) {
		b.log.Warn("leaving the consumer group takes too long, going on without", "group", group)
	}
	return ended(ctx, err)
}

func (b *Broker) groupConfig(group, note string, topics []string) kafka.ConsumerGroupConfig {
	return kafka.ConsumerGroupConfig{
		ID:      group,
		Brokers: b.cfg.Brokers,
		Topics:  topics,
		Dialer: &kafka.Dialer{
			ClientID: b.cfg.ClientID, DialFunc: b.cfg.Dial, Timeout: groupTimeout, TLS: b.cfg.Login.TLS, SASLMechanism: b.signIn,
		},
		// Range keeps the same partition of co-partitioned topics together.
		GroupBalancers:         []kafka.GroupBalancer{noted{note: note}},
		HeartbeatInterval:      heartbeatInterval,
		SessionTimeout:         sessionTimeout,
		RebalanceTimeout:       rebalanceTimeout,
		JoinGroupBackoff:       joinBackoff,
		PartitionWatchInterval: partitionWatch,
		WatchPartitionChanges:  true,
		StartOffset:            kafka.FirstOffset,
		Timeout:                groupTimeout,
		ErrorLogger: kafka.LoggerFunc(func(format string, args ...any) {
			b.log.Log(b.ctx, slog.LevelDebug, "consumer group", "group", group, "error", fmt.Sprintf(format, args...))
		}),
	}
}

// probe asks for what the group needs, once: a member without the right to read
// would otherwise wait for ever, with nothing but lines in a log.
func (b *Broker) probe(ctx context.Context, group string, topics []string) error {
	for _, topic := range topics {
		r, err := b.RangeOf(ctx, topic, 0)
		if err != nil {
			return err
		}
		cursor := b.Cursor(topic, 0, r.Next)
		cursor.wait = time.Millisecond
		if _, err := cursor.Fetch(ctx); err != nil && !errors.Is(err, ErrOutOfRange) {
			return err
		}
	}
	_, err := b.committed(ctx, group, map[string][]int{topics[0]: {0}})
	return err
}

func closeWithin(members *kafka.ConsumerGroup, limit time.Duration) bool {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = members.Close()
	}()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-closed:
		return true
	case <-t.C:
		return false
	}
}

// member is this process's part in a group, generation after generation.
type member struct {
	b      *Broker
	group  string
	handle func(ctx context.Context, c *Claim) error
}

func (m *member) run(ctx context.Context, members *kafka.ConsumerGroup) error {
	failed := make(chan error, 1)
	for {
		next, err := m.next(ctx, members)
		if err != nil {
			return err
		}
		m.b.metrics.generations.WithLabelValues(m.group).Inc()
		var served sync.WaitGroup
		served.Add(1)
		// The library begins the next generation only when this has returned.
		next.Start(func(genCtx context.Context) {
			defer served.Done()
			if err := m.serve(ctx, genCtx, next); err != nil {
				failed <- err
			}
		})
		served.Wait()
		select {
		case err := <-failed:
			return err
		default:
		}
	}
}

// next waits for the next generation, through faults that pass.
func (m *member) next(ctx context.Context, members *kafka.ConsumerGroup) (*kafka.Generation, error) {
	for faults := 0; ; faults++ {
		gen, err := members.Next(ctx)
		switch {
		case err == nil:
			return gen, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case isDefinite(err):
			return nil, fmt.Errorf("consumer group %s: %w%s", m.group, err, advice(err))
		case faults == 3:
			m.b.log.Warn("joining the consumer group does not succeed, trying again", "group", m.group, "error", err)
		}
	}
}

// serve runs the handlers of one generation and returns when all have.
func (m *member) serve(ctx, genCtx context.Context, next *kafka.Generation) error {
	// What the library hands out is done with the generation, and has no cause
	// or values; ours ends with either.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(genCtx, func() { cancel(ErrGenerationOver) })()

	gen, claims, err := m.claims(ctx, next)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	m.b.log.Info("partitions assigned", "group", m.group, "generation", next.ID, "count", len(claims))
	handlers, handling := errgroup.WithContext(ctx)
	for _, claim := range claims {
		handlers.Go(func() error {
			err := m.handle(handling, claim)
			if handling.Err() != nil || errors.Is(err, ErrGenerationOver) {
				return nil
			}
			return err
		})
	}
	return m.await(handling.Done(), handlers, gen, claims) //nolint:contextcheck // commits outlive the generation's context
}

// await commits for the handlers, and watches them, until their work is over and the
// last of them has returned.
func (m *member) await(over <-chan struct{}, handlers *errgroup.Group, gen *generation, claims []*Claim) error {
	ctx, stop := context.WithCancel(m.b.ctx)
	var helpers sync.WaitGroup
	helpers.Go(func() { gen.commitLoop(ctx) })
	helpers.Go(func() { m.watchLag(ctx, claims) })
	<-over
	err := handlers.Wait()
	stop()
	helpers.Wait()
	gen.end()
	for _, c := range claims {
		m.b.metrics.forgetLag(m.group, c.tp)
	}
	return err
}

func (m *member) claims(ctx context.Context, next *kafka.Generation) (*generation, []*Claim, error) {
	assigned := make(map[string][]int)
	for topic, partitions := range next.Assignments {
		for _, p := range partitions {
			assigned[topic] = append(assigned[topic], p.ID)
		}
	}
	gen := newGeneration(m.b, m.group, next)
	if len(assigned) == 0 {
		return gen, nil, nil
	}
	committed, err := m.b.committed(ctx, m.group, assigned)
	if err != nil {
		return nil, nil, err
	}
	var claims []*Claim
	for topic, partitions := range assigned {
		for _, p := range partitions {
			tp := topicPartition{topic, p}
			claims = append(claims, &Claim{
				Topic: topic, Partition: p, tp: tp, gen: gen, stored: committed[tp], progress: newProgress(m.b.metrics, m.group, tp),
			})
		}
	}
	return gen, claims, nil
}
