package gateway

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// census counts what lies in quarantine, on the topic itself: every gateway then
// tells the same, and a restart forgets nothing. A redriven record stays there;
// a mark behind it says so, and it is counted no more. Safe for concurrent use.
type census struct {
	broker *broker.Broker
	log    *slog.Logger
	topic  string

	mu       sync.Mutex
	byReason map[string]float64
	oldest   time.Time
}

func newCensus(b *broker.Broker, log *slog.Logger, topic string) *census {
	return &census{broker: b, log: log, topic: topic}
}

const (
	// censusPause is how long a count that failed waits before it begins anew.
	censusPause = 10 * time.Second
	// censusCheck is how often the beginning of the topic is looked at.
	censusCheck = time.Minute
)

// errEmptied says that records were deleted at the beginning of the topic.
var errEmptied = errors.New("the topic begins elsewhere than before")

// run counts until ctx ends. What it cannot read is no reason for doors to shut.
func (c *census) run(ctx context.Context) error {
	if err := c.broker.WaitTopics(ctx, c.topic); err != nil {
		return err
	}
	for {
		err := c.count(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errEmptied) || errors.Is(err, broker.ErrOutOfRange) {
			continue
		}
		c.log.Warn("the quarantine cannot be counted", telemetry.KeyTopic, c.topic, telemetry.KeyError, err)
		if err := pause.For(ctx, censusPause); err != nil {
			return nil
		}
	}
}

// count counts what the topic holds, and then what comes.
func (c *census) count(ctx context.Context) error {
	held, err := c.broker.RangeOf(ctx, c.topic, 0)
	if err != nil {
		return err
	}
	// What is expected is told before it happens.
	reasons := map[string]bool{string(schemas.ReasonMalformed): true, string(schemas.ReasonTooLarge): true}
	open := map[int64]lying{}
	cursor, checked := c.broker.Cursor(c.topic, 0, held.First), time.Now()
	for {
		if cursor.Position() >= held.Next {
			c.tell(reasons, open)
		}
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return err
		}
		for i := range batch.Records {
			rec := &batch.Records[i]
			if offset, ok := redrivenMark(rec); ok {
				delete(open, offset)
				continue
			}
			open[rec.Offset] = lying{quarantineLabel(rec), rec.Time}
			reasons[open[rec.Offset].reason] = true
		}
		if time.Since(checked) < censusCheck {
			continue
		}
		checked = time.Now()
		if now, err := c.broker.RangeOf(ctx, c.topic, 0); err != nil {
			return err
		} else if now.First != held.First {
			return errEmptied
		}
	}
}

// quarantineLabel is why a record lies in quarantine.
func quarantineLabel(rec *broker.Record) string {
	if q, ok := readQuarantined(rec); ok && schemas.Reason(q.Reason).Code().Name != "" {
		return q.Reason
	}
	return labelUnknown
}

// lying is a record that lies in quarantine.
type lying struct {
	reason string
	since  time.Time
}

func (c *census) tell(reasons map[string]bool, open map[int64]lying) {
	byReason, oldest := map[string]float64{}, time.Time{}
	for reason := range reasons {
		byReason[reason] = 0
	}
	for _, l := range open {
		byReason[l.reason]++
		if oldest.IsZero() || l.since.Before(oldest) {
			oldest = l.since
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byReason, c.oldest = byReason, oldest
}

// depth is how many records there are, by reason; none before they are counted.
func (c *census) depth() map[string]float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.byReason)
}

// age is how many seconds the oldest record lies there.
func (c *census) age() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.oldest.IsZero() {
		return 0
	}
	return max(time.Since(c.oldest), 0).Seconds()
}
