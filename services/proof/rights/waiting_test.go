package rights_test

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/router"
)

// longWait is what a client may ask a broker to wait for.
const longWait = 9 * time.Second

// routed is a real router on the engine, which follows the directory's topic as every
// service does, and a ledger that the test stands in for.
type routed struct {
	*engine
	view     *directory.View
	recorded int64
}

func newRouted(e *engine) *routed {
	e.t.Helper()
	r := &routed{engine: e, view: directory.NewView()}
	settings := config.Default("127.0.0.1:0")
	settings.Partitions, settings.Prefix = 1, e.prefix
	log := slog.New(slog.DiscardHandler)
	service, err := router.New(services.Host{
		Log: log, Metrics: prometheus.NewRegistry(), Broker: e.hub, HTTP: http.NewServeMux(), Ready: services.NewReadiness(),
		Directory: r.view, Schemas: enginetest.Schemas{}, Auth: auth.New(auth.Config{Development: true, Directory: r.view}), Settings: settings,
	})
	must(e.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{service.Run, func(ctx context.Context) error { return r.view.Run(ctx, e.hub, log) }} {
		running.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				e.t.Errorf("it ended: %v", err)
			}
		})
	}
	e.t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return r
}

// put writes a participant's record, and waits until it is followed, as the directory
// service does.
func (r *routed) put(id, suspendedSince string) {
	r.t.Helper()
	record, err := directory.Participant{ID: id, Role: directory.RoleOperator, SuspendedSince: suspendedSince}.Record()
	must(r.t, err)
	offset, err := r.hub.Produce(r.t.Context(), broker.Record{Topic: r.full("topic", "directory"), Key: []byte(record.Key), Value: record.Value, Time: time.Now()})
	must(r.t, err)
	must(r.t, r.view.Await(r.t.Context(), offset))
}

// record writes an outcome for the parties, and returns its number.
func (r *routed) record(parties string) string {
	r.t.Helper()
	number := strconv.FormatInt(r.recorded, 10)
	r.recorded++
	headers := schemas.Headers(schemas.Event{
		ID: "evt-" + number, Source: schemas.Source("msa", "si"), Type: schemas.TypeReviewStarted, Subject: "msa.1",
		Extensions: map[string]string{
			schemas.AttrSubmittedPartition: "0", schemas.AttrSubmittedOffset: number, schemas.AttrParties: parties,
			schemas.AttrReceivedTime: time.Now().UTC().Format(time.RFC3339Nano),
		},
	})
	_, err := r.hub.Produce(r.t.Context(), broker.Record{Topic: r.full("topic", "recorded"), Key: []byte("msa.1"), Value: []byte("x"), Headers: headers, Time: time.Now()})
	must(r.t, err)
	return number
}

// has are the numbers on somebody's topic, as the hub sees them.
func (r *routed) has(id string) (numbers []string) {
	r.t.Helper()
	topic := r.full("topic", "to."+id)
	held, err := r.hub.RangeOf(r.t.Context(), topic, 0)
	must(r.t, err)
	for cursor := r.hub.Cursor(topic, 0, held.First); cursor.Position() < held.Next; {
		batch, err := cursor.Fetch(r.t.Context())
		must(r.t, err)
		for _, record := range batch.Records {
			numbers = append(numbers, string(record.Header("ce_"+schemas.AttrSubmittedOffset)))
		}
	}
	return numbers
}

// answered is what a fetch that waited was answered.
type answered struct {
	code    int16
	records int
	after   time.Duration
	err     error
}

// waits begins a fetch from an offset of somebody's own topic, which the broker is to
// answer when there is something, or after longWait.
func (r *routed) waits(who, how string, offset int64) <-chan answered {
	c := r.caller(who, how)
	q := kmsg.NewPtrFetchRequest()
	q.MaxWaitMillis, q.MinBytes, q.MaxBytes, q.SessionEpoch = int32(longWait.Milliseconds()), 1, 1<<20, -1
	of := kmsg.NewFetchRequestTopic()
	of.Topic = r.full("topic", "to."+who)
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes = offset, 1<<20
	of.Partitions = append(of.Partitions, p)
	q.Topics = append(q.Topics, of)
	done := make(chan answered, 1)
	begun := time.Now()
	go func() {
		res, err := ask[*kmsg.FetchResponse](r.t.Context(), c, q)
		a := answered{err: err, after: time.Since(begun)}
		if err == nil && len(res.Topics) > 0 {
			got := res.Topics[0].Partitions[0]
			a.code = got.ErrorCode
			for rest := got.RecordBatches; len(rest) > 0; {
				var batch kmsg.RecordBatch
				if batch.ReadFrom(rest) != nil {
					break
				}
				a.records += int(batch.NumRecords)
				rest = rest[min(len(rest), int(batch.Length)+12):]
			}
		}
		done <- a
	}()
	return done
}

// A fetch that waits at the broker when a suspension comes is not asked for its rights
// again by Apache Kafka. It gets nothing, because nothing comes; and all of it comes
// when the participant is resumed.
func TestAFetchThatWaitsWhenASuspensionComesGetsNothing(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e *engine) {
		e.populate("cnaf", "cpam", "denied")
		must(t, e.hub.DenyParticipant(t.Context(), "denied"))
		e.settle()
		r := newRouted(e)
		r.put("cnaf", "")
		r.put("cpam", "")
		cnaf := []string{r.record("cnaf,cpam")}
		cpam := slices.Clone(cnaf)
		await(t, "both have the first", func() bool { return len(r.has("cnaf")) == 1 && len(r.has("cpam")) == 1 })

		waiting := map[string]<-chan answered{}
		for _, how := range e.ways {
			waiting[how] = r.waits("cnaf", how, 1)
		}
		<-time.After(time.Second) // they are at the broker
		begun := time.Now()
		r.put("cnaf", begun.Format(time.RFC3339Nano))
		must(t, e.hub.DenyParticipant(t.Context(), "cnaf"))
		acknowledged := time.Since(begun)
		var slowest time.Duration
		for time.Since(begun) < longWait {
			written := time.Now()
			number := r.record("cnaf,cpam")
			cnaf, cpam = append(cnaf, number), append(cpam, number)
			await(t, "cpam has event "+number, func() bool { return slices.Equal(r.has("cpam"), cpam) })
			slowest = max(slowest, time.Since(written))
			<-time.After(300 * time.Millisecond)
		}
		for how, done := range waiting {
			a := <-done
			if a.err != nil || a.records > 0 {
				t.Errorf("by %s, a fetch that waited was answered %v later with %d records, code %d, %v", how, a.after, a.records, a.code, a.err)
			}
			t.Logf("%s, by %s: answered after %v, code %d, %d records; suspended in %v; the other one had each event within %v",
				e.name, how, a.after.Round(time.Millisecond), a.code, a.records, acknowledged.Round(time.Millisecond), slowest.Round(time.Millisecond))
		}
		if diff := cmp.Diff(cnaf[:1], r.has("cnaf")); diff != "" {
			t.Errorf("on its topic (-before +suspended):\n%s", diff)
		}

		must(t, e.hub.AllowParticipant(t.Context(), "cnaf"))
		r.put("cnaf", "")
		cnaf = append(cnaf, r.record("cnaf"))
		if diff := cmp.Diff(cnaf, r.reads("cnaf", len(cnaf))); diff != "" {
			t.Errorf("resumed (-recorded +read):\n%s", diff)
		}
	})
}

// reads are the first n numbers that a participant reads itself.
func (r *routed) reads(who string, n int) (numbers []string) {
	r.t.Helper()
	topic := r.full("topic", "to."+who)
	c, err := kgo.NewClient(append(r.opts(who, byScram), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))...)
	must(r.t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	for len(numbers) < n && ctx.Err() == nil {
		c.PollFetches(ctx).EachRecord(func(record *kgo.Record) {
			for _, h := range record.Headers {
				if h.Key == "ce_"+schemas.AttrSubmittedOffset {
					numbers = append(numbers, string(h.Value))
				}
			}
		})
	}
	return numbers
}
