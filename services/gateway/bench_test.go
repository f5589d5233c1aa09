package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
)

// BenchmarkForm is all that an event costs before it is sent: read, judged,
// encoded, stamped and made a record.
func BenchmarkForm(b *testing.B) {
	j, by := testJudge(b)
	g := &Gateway{submitted: "relais.submitted", partitions: 12}
	avro := referral()
	data, err := j.codec.Encode(b.Context(), &schemas.ReferralMade{From: "fs-1", To: "cnaf", Service: "logement/apl", Reference: "7K3F-92QD"})
	if err != nil {
		b.Fatal(err)
	}
	headers := avro.headers(schemas.AvroContentType)
	line, long := []byte(visit().structured()), []byte(referral().structured())
	trials := []struct {
		name string
		read func() (schemas.Event, error)
	}{
		{"visit as structured JSON", func() (schemas.Event, error) { return structuredEvent(line, by, channelHTTP) }},
		{"referral as structured JSON", func() (schemas.Event, error) { return structuredEvent(long, by, channelHTTP) }},
		{"referral as Avro", func() (schemas.Event, error) { return recordEvent(headers, data, by, channelKafka) }},
	}
	for _, trial := range trials {
		b.Run(trial.name, func(b *testing.B) {
			b.ReportAllocs()
			var rec broker.Record
			for b.Loop() {
				e, err := trial.read()
				if err != nil {
					b.Fatal(err)
				}
				r, _, err := j.judge(b.Context(), claim{event: e, by: by, channel: channelHTTP})
				if err != nil {
					b.Fatal(err)
				}
				rec = g.record(r.event)
			}
			if rec.Key == nil {
				b.Fatal("no key")
			}
		})
	}
}

// BenchmarkStream is the NDJSON door with a broker behind it, in memory: from the
// lines to their answers, and with outcomes waited for.
func BenchmarkStream(b *testing.B) {
	for _, prefer := range []string{"", "wait=60"} {
		b.Run("Prefer "+prefer, func(b *testing.B) {
			h := newHub(b, testView(b))
			h.run()
			h.ledger()
			const lines = 2000
			var events int
			for b.Loop() {
				var body strings.Builder
				for range lines {
					events++
					fmt.Fprintln(&body, visit(attr("source", "/participants/fs-1/feeder"), attr("id", fmt.Sprint("ev-", events)), attr("subject", fmt.Sprintf("%032x", events))).structured())
				}
				w := h.post("dev-feeder", ndjsonContentType, body.String(), "Prefer", prefer)
				if n := strings.Count(w.Body.String(), "\n"); n != lines {
					b.Fatalf("%d answers", n)
				}
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
