package hub

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
)

func benchEngine(b *testing.B, pageCache, inProcess bool, change ...func(*broker.Config)) *broker.Broker {
	b.Helper()
	e, err := StartEmbedded(b.Context(), EmbeddedConfig{KafkaAddr: "127.0.0.1:0", DataDir: filepath.Join(b.TempDir(), "data"), PageCache: pageCache})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = e.Close() })
	var dial func(context.Context, string, string) (net.Conn, error)
	if inProcess {
		dial = e.Dial
	}
	cfg := broker.Config{Brokers: []string{e.KafkaAddr()}, Dial: dial}
	for _, c := range change {
		c(&cfg)
	}
	client, err := broker.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	err = client.EnsureTopics(b.Context(), broker.TopicSpec{Name: "t", Partitions: 12, Settings: map[string]string{"retention.ms": "-1"}})
	if err != nil {
		b.Fatal(err)
	}
	return client
}

// benchRecord looks like an event on submitted: some twenty headers, 300 bytes.
func benchRecord() broker.Record {
	rec := broker.Record{Topic: "t", Key: bytes.Repeat([]byte("k"), 36), Value: bytes.Repeat([]byte("v"), 300)}
	for range 18 {
		rec.Headers = append(rec.Headers, schemas.Header{Key: "ce_partitionkey", Value: bytes.Repeat([]byte("h"), 24)})
	}
	return rec
}

func BenchmarkGroupCommit(b *testing.B) {
	for _, bc := range []struct {
		name                 string
		pageCache, inProcess bool
		headers              bool
		compression          string
	}{
		{"fsync, TCP, bare", false, false, false, ""},
		{"fsync, in process, bare", false, true, false, ""},
		{"fsync, in process, headers", false, true, true, ""},
		{"fsync, in process, headers, snappy", false, true, true, "snappy"},
		{"page cache, TCP, bare", true, false, false, ""},
		{"page cache, in process, bare", true, true, false, ""},
		{"page cache, in process, headers", true, true, true, ""},
	} {
		b.Run(bc.name, func(b *testing.B) {
			client := benchEngine(b, bc.pageCache, bc.inProcess, func(c *broker.Config) { c.Compression = bc.compression })
			rec := benchRecord()
			if !bc.headers {
				rec.Headers = nil
			}
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			started := time.Now()
			for range 256 {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						r := rec
						r.Partition = int(i % 12)
						if _, err := client.Produce(b.Context(), r); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/time.Since(started).Seconds(), "records/s")
		})
	}
}

func BenchmarkCursor(b *testing.B) {
	for _, bc := range []struct {
		name               string
		inProcess, headers bool
	}{
		{"TCP, bare", false, false},
		{"in process, bare", true, false},
		{"in process, headers", true, true},
	} {
		b.Run(bc.name, func(b *testing.B) {
			client := benchEngine(b, true, bc.inProcess)
			rec := benchRecord()
			if !bc.headers {
				rec.Headers = nil
			}
			batch := make([]broker.Record, 500)
			for i := range batch {
				batch[i] = rec
			}
			for written := 0; written < b.N; written += len(batch) {
				if _, err := client.ProduceBatch(b.Context(), "t", 0, batch); err != nil {
					b.Fatal(err)
				}
			}
			cursor := client.Cursor("t", 0, 0)
			b.ReportAllocs()
			b.ResetTimer()
			started := time.Now()
			for cursor.Position() < int64(b.N) {
				if _, err := cursor.Fetch(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/time.Since(started).Seconds(), "records/s")
		})
	}
}
