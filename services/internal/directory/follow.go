package directory

import (
	"context"
	"log/slog"

	"github.com/relais-fr/relais/services/internal/broker"
)

// Run follows the directory's topic until ctx ends. Ready is closed when the end
// that the topic had at the start is reached. A record that cannot be read is
// logged and leaves what the view had.
func (v *View) Run(ctx context.Context, b *broker.Broker, log *slog.Logger) error {
	topic := b.Topic("directory")
	beginning := func(_ int, r broker.Range) int64 { return r.First }
	return b.Follow(ctx, topic, beginning, func(ctx context.Context, batch broker.Batch) error {
		records := make([]Record, len(batch.Records))
		for i, r := range batch.Records {
			records[i] = Record{Key: string(r.Key), Value: r.Value}
		}
		if err := v.Apply(records...); err != nil {
			log.ErrorContext(ctx, "directory records are not readable", "error", err)
		}
		if batch.AtEnd() {
			v.caughtUp()
		}
		return nil
	})
}
