package directory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relais-fr/relais/services/internal/broker"
	dir "github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/pause"
)

// publisher writes records to the directory's topic, in order, and returns when
// the process's own view has them. After an error some may have been written.
type publisher interface {
	publish(ctx context.Context, records []dir.Record) error
}

// topic is the directory's topic. It has one partition, so that what is written
// together is seen in the order in which it was written.
type topic struct {
	broker *broker.Broker
	view   *dir.View
}

// window is how many records are in line at a time: the broker's buffer is
// shared by the whole process.
const window = 500

// bufferPause is the wait after the broker's buffer was full.
const bufferPause = 50 * time.Millisecond

func (t *topic) publish(ctx context.Context, records []dir.Record) error {
	if len(records) == 0 {
		return nil
	}
	last := int64(-1)
	for done := 0; done < len(records); {
		offset, n, err := t.write(ctx, records[done:min(done+window, len(records))])
		done, last = done+n, max(last, offset)
		if errors.Is(err, broker.ErrBufferFull) {
			err = pause.For(ctx, bufferPause)
		}
		if err != nil {
			return fmt.Errorf("after %d of %d records: %w", done, len(records), err)
		}
	}
	return t.view.Await(ctx, last)
}

// write puts the records in line and waits for all of them. It says how many
// were acknowledged before the first that was not, and the last one's offset.
func (t *topic) write(ctx context.Context, records []dir.Record) (last int64, n int, err error) {
	acks := make([]*broker.Ack, 0, len(records))
	for _, r := range records {
		acks = append(acks, t.broker.Enqueue(broker.Record{
			Topic: t.broker.Topic(dir.Topic), Key: []byte(r.Key), Value: r.Value,
		}))
	}
	last = -1
	for _, ack := range acks {
		offset, err := ack.Wait(ctx)
		if err != nil {
			return last, n, err
		}
		last, n = offset, n+1
	}
	return last, n, nil
}
