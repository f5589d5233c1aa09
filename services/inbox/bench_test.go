package inbox

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/store"
)

// ordinals is a registry that numbers the catalogue.
type ordinals struct{}

func (ordinals) Schema(_ context.Context, id int) (string, error) {
	return schemas.Catalogue()[id-1].Schema, nil
}

func (ordinals) ID(_ context.Context, typ string) (int, error) {
	for i, entry := range schemas.Catalogue() {
		if entry.Type == typ {
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("%s: %w", typ, schemas.ErrUnknownSchema)
}

// BenchmarkVisits puts visits of 240 offices, a partition's share, on their desks,
// in commits of 500, on the embedded Redis. It reports the memory that is kept.
func BenchmarkVisits(b *testing.B) {
	codec := schemas.NewCodec(ordinals{})
	server := miniredis.RunT(b)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer func() { _ = client.Close() }()
	projection := store.New(store.Config{Client: client}).Projection("inbox", "1")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	at := store.Position{}
	b.ResetTimer()
	for done := 0; done < b.N; {
		var records []broker.Record
		for range min(1000, b.N-done) {
			records = append(records, visitRecord(b, codec, done))
			done++
		}
		at = commitRecords(b, projection, codec, at, records)
	}
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N), "kept-B/visit")
}

func commitRecords(b *testing.B, p *store.Projection, codec *schemas.Codec, at store.Position, records []broker.Record) store.Position {
	b.Helper()
	f := &follower{Inbox: &Inbox{codec: codec}}
	events, err := f.readAll(b.Context(), records)
	if err != nil {
		b.Fatal(err)
	}
	s, err := load(b.Context(), p, 3, at, events)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range events {
		if err := s.apply(e); err != nil {
			b.Fatal(err)
		}
	}
	ops, err := s.finish()
	if err != nil {
		b.Fatal(err)
	}
	to := store.Position{Next: at.Next + int64(len(records)), Mark: "m"}
	if err := p.Commit(b.Context(), 3, at, to, ops); err != nil {
		b.Fatal(err)
	}
	return to
}

// visitRecord is the n-th visit, as the simulated day has them.
func visitRecord(b *testing.B, codec *schemas.Codec, n int) broker.Record {
	b.Helper()
	start := time.Date(2026, 5, 14, 9, 0, 0, 0, time.UTC)
	office := fmt.Sprintf("fs-%d", n%240)
	payload := &schemas.VisitRecorded{
		Office: office, Day: schemas.DayOf(start) + schemas.Day(n/100_000), HalfDay: "morning", Channel: "on_site_unplanned",
		Operators: []string{"cnaf"}, Services: []string{"logement/demande-d-une-allocation-logement-apl-als-alf"},
		Themes: []string{"housing"}, HelpLevel: new("assist"), Outcome: new("resolved"), Duration: new("to_20"), Age: new("25_39"),
	}
	data, err := codec.Encode(b.Context(), payload)
	if err != nil {
		b.Fatal(err)
	}
	e := schemas.Event{
		ID: fmt.Sprintf("%032x", n), Source: schemas.Source(office, "feed"), Type: schemas.TypeVisitRecorded,
		Subject: fmt.Sprintf("%s.%032x", office, n), Time: start, DataContentType: schemas.AvroContentType, Data: data,
		Extensions: map[string]string{
			schemas.AttrSubmittedPartition: "3", schemas.AttrSubmittedOffset: fmt.Sprint(n),
			schemas.AttrReceivedTime: start.Format(time.RFC3339), schemas.AttrRecipient: office,
		},
	}
	return broker.Record{Offset: int64(n), Key: []byte(office), Value: data, Headers: schemas.Headers(e)}
}
