package router

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// letters are the deliveries that wait for somebody to look at them: dead, or not
// collected and soon to be deleted. They are what relais.deliveries says, which
// every router follows whole; a letter takes about a kilobyte of memory. Safe for
// concurrent use.
type letters struct {
	ready chan struct{} // closed once all is in that stood on the topic at the start

	mu    sync.Mutex
	byKey map[string]*letter
	// redriven are those that were brought once more and are not known to be
	// collected: no letters any more.
	redriven map[string]*letter
	behind   map[int]int64 // ends of the partitions that are still to be read
	started  bool
}

// letter is one of them.
type letter struct {
	*schemas.DeliveryChanged
	at  schemas.Place
	key string
}

func newLetters() *letters {
	return &letters{ready: make(chan struct{}), byKey: map[string]*letter{}, redriven: map[string]*letter{}}
}

// lettersPause is the pause before the topic is followed anew after a fault.
const lettersPause = 5 * time.Second

// followLetters keeps the letters until ctx ends.
func (r *Router) followLetters(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.tryFollow(ctx)
		if ctx.Err() != nil {
			return
		}
		r.host.Log.WarnContext(ctx, "deliveries are not followed, trying again", telemetry.KeyTopic, r.deliveries, telemetry.KeyError, err)
		_ = pause.For(ctx, lettersPause)
	}
}

func (r *Router) tryFollow(ctx context.Context) error {
	ranges, err := r.host.Broker.Ranges(ctx, r.deliveries)
	if err != nil {
		return err
	}
	r.letters.begin(ranges)
	from := func(_ int, held broker.Range) int64 { return held.First }
	return r.host.Broker.Follow(ctx, r.deliveries, from, func(ctx context.Context, batch broker.Batch) error {
		for i := range batch.Records {
			if err := r.takeLetter(ctx, &batch.Records[i]); err != nil {
				return err
			}
		}
		r.letters.read(batch.Partition, batch.Next)
		return nil
	})
}

// takeLetter takes one record; the error says that the registry does not answer.
func (r *Router) takeLetter(ctx context.Context, record *broker.Record) error {
	key := string(record.Key)
	if record.Value == nil {
		r.letters.put(key, nil)
		return nil
	}
	payload, err := r.codec.Decode(ctx, schemas.TypeDeliveryChanged, record.Value)
	var refusal *schemas.Refusal
	switch {
	case errors.As(err, &refusal):
		r.host.Log.WarnContext(ctx, "a step of a delivery cannot be read", telemetry.KeyTopic, record.Topic, telemetry.KeyOffset, record.Offset, telemetry.KeyError, err)
		return nil
	case err != nil:
		return err
	}
	r.letters.put(key, payload.(*schemas.DeliveryChanged))
	return nil
}

func (ls *letters) begin(ranges map[int]broker.Range) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	clear(ls.byKey)
	clear(ls.redriven)
	ls.behind = map[int]int64{}
	for p, held := range ranges {
		if held.First < held.Next {
			ls.behind[p] = held.Next
		}
	}
	ls.settle()
}

func (ls *letters) read(partition int, next int64) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if end, ok := ls.behind[partition]; ok && next >= end {
		delete(ls.behind, partition)
		ls.settle()
	}
}

// settle is called with ls.mu held.
func (ls *letters) settle() {
	if len(ls.behind) == 0 && !ls.started {
		ls.started = true
		close(ls.ready)
	}
}

func (ls *letters) put(key string, d *schemas.DeliveryChanged) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	delete(ls.byKey, key)
	delete(ls.redriven, key)
	if d == nil {
		return
	}
	at, err := schemas.ParsePlace(d.Place)
	switch {
	case err != nil:
	case d.Undelivered():
		ls.byKey[key] = &letter{d, at, key}
	case d.State == schemas.DeliveryRedriven && d.CopyOffset != nil:
		ls.redriven[key] = &letter{d, at, key}
	}
}

// redrivenTo are those on a partition of a participant's topic, in the order of
// their copies.
func (ls *letters) redrivenTo(participant string, partition int) []*letter {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var all []*letter
	for _, l := range ls.redriven {
		if l.Recipient == participant && l.at.Partition == partition {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b *letter) int { return cmp.Compare(*a.CopyOffset, *b.CopyOffset) })
	return all
}

func (ls *letters) isReady() bool {
	select {
	case <-ls.ready:
		return true
	default:
		return false
	}
}

// reason is why, as metrics and groups have it.
func (l *letter) reason() string {
	if l.Reason == nil {
		return l.State
	}
	return *l.Reason
}

// find is a letter by its key.
func (ls *letters) find(key string) (*letter, bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l, ok := ls.byKey[key]
	return l, ok
}

// choose are the letters that fit, in the order of their places.
func (ls *letters) choose(fits func(*letter) bool) []*letter {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var all []*letter
	for _, l := range ls.byKey {
		if fits(l) {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b *letter) int {
		return cmp.Or(cmp.Compare(a.at.Partition, b.at.Partition), cmp.Compare(a.at.Offset, b.at.Offset), strings.Compare(a.Recipient, b.Recipient))
	})
	return all
}

// depth is how many there are, by reason. What is expected is told before it
// happens.
func (ls *letters) depth() map[string]float64 {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if !ls.started {
		return nil
	}
	byReason := map[string]float64{schemas.DeliveryTopicGone: 0, schemas.DeliveryRefused: 0, schemas.DeliveryNotCollected: 0, schemas.DeliveryDeleted: 0, schemas.DeliveryClosed: 0}
	for _, l := range ls.byKey {
		byReason[l.reason()]++
	}
	return byReason
}

// age is how many seconds the oldest has waited.
func (ls *letters) age() float64 {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var oldest time.Time
	for _, l := range ls.byKey {
		if oldest.IsZero() || l.Since.Before(oldest) {
			oldest = l.Since
		}
	}
	if oldest.IsZero() {
		return 0
	}
	return max(time.Since(oldest), 0).Seconds()
}
