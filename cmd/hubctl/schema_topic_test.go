package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// What was written on the topic, by schema id: 5 is live no more, 7 and 8 are.
const (
	idOld, idFirst, idSecond, idOther, idNobodys = 5, 7, 8, 9, 99

	voidedFirst  = `{"type":"record","name":"VisitVoided","namespace":"fr.relais.visit.v1","fields":[{"name":"reason","type":"string"}]}`
	voidedSecond = `{"type":"record","name":"VisitVoided","namespace":"fr.relais.visit.v1","fields":[{"name":"reason","type":"string"},{"name":"by","type":"string"}]}`
	voidedOld    = `{"type":"record","name":"VisitVoided","namespace":"fr.relais.visit.v1","fields":[{"name":"by","type":"string"}]}`
	otherEvent   = `{"type":"record","name":"MessagePosted","namespace":"fr.relais.referral.v1","fields":[{"name":"text","type":"string"}]}`
)

// hubTown is an embedded broker with the operator's topic, a registry, and a build.
type hubTown struct {
	t        *testing.T
	kafka    *kfake.Cluster
	registry *httptest.Server
	dir      string
	password string
	signIn   []kgo.Opt // of whoever writes
}

const toCNAF = "relais.to.cnaf"

func newHubTown(t *testing.T, opts ...kfake.Opt) *hubTown {
	t.Helper()
	kafka, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(2, toCNAF, "relais.to.cpam")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	town := &hubTown{t: t, kafka: kafka, dir: t.TempDir(), registry: httptest.NewServer(http.HandlerFunc(registryOfVisits))}
	t.Cleanup(town.registry.Close)
	town.file("next.avsc", voidedSecond)
	return town
}

// registryOfVisits answers as a Confluent registry does.
func registryOfVisits(w http.ResponseWriter, r *http.Request) {
	byID := map[string]string{"5": voidedOld, "7": voidedFirst, "8": voidedSecond, "9": otherEvent}
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	tell := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	switch path := r.URL.Path; {
	case path == "/subjects/fr.relais.visit.v1.VisitVoided/versions":
		tell([]int{1, 2})
	case path == "/subjects/fr.relais.visit.v1.VisitVoided/versions/1":
		tell(map[string]any{"version": 1, "id": idFirst, "schema": voidedFirst})
	case path == "/subjects/fr.relais.visit.v1.VisitVoided/versions/2":
		tell(map[string]any{"version": 2, "id": idSecond, "schema": voidedSecond})
	case byID[strings.TrimPrefix(path, "/schemas/ids/")] != "":
		tell(map[string]any{"schema": byID[strings.TrimPrefix(path, "/schemas/ids/")]})
	default:
		w.WriteHeader(http.StatusNotFound)
		tell(map[string]any{"error_code": registryHasNoSchema, "message": "Schema not found"})
	}
}

func (h *hubTown) file(name, text string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// write puts values on the topic's partition.
func (h *hubTown) write(partition int32, values ...[]byte) {
	h.t.Helper()
	client, err := kgo.NewClient(append(h.signIn, kgo.SeedBrokers(h.kafka.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		h.t.Fatal(err)
	}
	defer client.Close()
	for _, v := range values {
		if err := client.ProduceSync(h.t.Context(), &kgo.Record{Topic: toCNAF, Partition: partition, Value: v}).FirstErr(); err != nil {
			h.t.Fatal(err)
		}
	}
}

// avro is a record in Confluent's framing whose fields are all text.
func avro(id uint32, fields ...string) []byte {
	value := binary.BigEndian.AppendUint32([]byte{0}, id)
	for _, f := range fields {
		value = append(binary.AppendVarint(value, int64(len(f))), f...)
	}
	return value
}

// check runs schema check as a build does, and gives what it printed, plain.
func (h *hubTown) check(ctx context.Context, args ...string) (said string, code int) {
	var out strings.Builder
	env := quiet(&out)
	env.lookup = func(key string) (string, bool) {
		v := map[string]string{
			"RELAIS_REGISTRY_URL": h.registry.URL, "RELAIS_BOOTSTRAP": strings.Join(h.kafka.ListenAddrs(), ","), "RELAIS_KAFKA_PASSWORD": h.password,
		}[key]
		return v, v != ""
	}
	code = run(ctx, append([]string{"schema", "check", "--against", filepath.Join(h.dir, "next.avsc")}, args...), env)
	return strings.NewReplacer(h.dir, "$DIR", h.kafka.ListenAddrs()[0], "KAFKA").Replace(out.String()), code
}

func (h *hubTown) says(wantCode int, want string, args ...string) {
	h.t.Helper()
	said, code := h.check(h.t.Context(), args...)
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), said); diff != "" || code != wantCode {
		h.t.Errorf("exit code %d, want %d; it said (-want +got)\n%s", code, wantCode, diff)
	}
}

func TestEveryRecordOfTheTopicIsReadWithTheReader(t *testing.T) {
	h := newHubTown(t)
	h.write(0, avro(idFirst, "duplicate"), avro(idSecond, "duplicate", "demo-1"), avro(idOther, "hello"))
	h.write(1, avro(idSecond, "error", "demo-2"), avro(idOther, "again"))
	h.says(exitOK, `
OK: $DIR/reader.avsc reads all of VisitVoided
  reads version 1, live at the registry (id 7), 1 records on the topic
  reads version 2, live at the registry (id 8), and what the next version writes, 2 records on the topic
relais.to.cnaf was read to its end as of the start: 5 records on 2 partitions.
  not looked at, for no schema of yours was given: MessagePosted 2
`, "--topic", toCNAF, h.file("reader.avsc", voidedFirst))
}

func TestAVersionThatIsLiveNoMoreStillBreaksWhereItLiesOnTheTopic(t *testing.T) {
	h := newHubTown(t)
	h.write(1, avro(idFirst, "duplicate"), avro(idOld, "demo-1"), avro(idOld, "demo-2"))
	h.says(exitFailed, `
BREAKS: $DIR/reader.avsc does not read all of VisitVoided
  reads version 1, live at the registry (id 7), 1 records on the topic
  reads version 2, live at the registry (id 8), and what the next version writes
  BREAKS on a version that is live no more (id 5), 2 records on the topic
    where  partition 1, offset 1; partition 1, offset 2
    field  reason, string
    what   the reader's field reason has no default and the writer has no such field
    do     Give the field a default, or take it out of your schema: there is data without it.
relais.to.cnaf was read to its end as of the start: 3 records on 2 partitions.
`, "--topic", toCNAF, h.file("reader.avsc", voidedFirst))
}

func TestWhatNobodyCanReadIsNamedByItsOffset(t *testing.T) {
	h := newHubTown(t)
	h.write(0, nil, avro(idFirst, "duplicate"), []byte(`{"specversion":"1.0"}`), avro(idNobodys, "x"), avro(idFirst), []byte{})
	h.says(exitFailed, `
BREAKS: $DIR/reader.avsc does not read all of VisitVoided
  BREAKS on version 1, live at the registry (id 7), 2 records on the topic
    record partition 0, offset 4: the Avro data, at the field reason, ends too early: is it cut short, or written with another schema?
  reads version 2, live at the registry (id 8), and what the next version writes
relais.to.cnaf was read to its end as of the start: 6 records on 2 partitions.
  BREAKS on 2 without a schema id in front (0x00, four bytes), which no consumer of Avro reads: partition 0, offset 2; partition 0, offset 5
  BREAKS on 1 of schema id 99: partition 0, offset 3
    the registry does not know it: is it the one that the topic's events were written with?
  1 tombstones, which a consumer is given as nothing: partition 0, offset 0
`, "--topic", toCNAF, h.file("reader.avsc", voidedFirst))
}

func TestABuildReadsWhatWasFoundAsJSON(t *testing.T) {
	h := newHubTown(t)
	for range keptPlaces + 2 {
		h.write(0, avro(idFirst))
	}
	said, code := h.check(t.Context(), "--json", "--topic", toCNAF, h.file("reader.avsc", voidedFirst))
	var got []checkedSchema
	if err := json.Unmarshal([]byte(said), &got); err != nil || code != exitFailed {
		t.Fatalf("exit code %d, %v: %s", code, err, said)
	}
	first := got[0].Versions[0]
	if first.OK || first.Unreadable.Count != keptPlaces+2 || len(first.Unreadable.First) != keptPlaces {
		t.Errorf("of version 1: %+v", first.Unreadable)
	}
	if diff := cmp.Diff(&topicFound{Topic: toCNAF, Partitions: 2, Records: keptPlaces + 2}, got[0].Topic); diff != "" {
		t.Error("of the topic (-want +got)\n" + diff)
	}
}

func TestAnEmptyTopicTeachesNothing(t *testing.T) {
	h := newHubTown(t)
	h.says(exitOK, `
OK: $DIR/reader.avsc reads all of VisitVoided
  reads version 1, live at the registry (id 7)
  reads version 2, live at the registry (id 8), and what the next version writes
relais.to.cnaf has no record at present: nothing was learnt from it.
`, "--topic", toCNAF, h.file("reader.avsc", voidedFirst))
}

func TestATopicThatCannotBeReadSaysWhatToDo(t *testing.T) {
	h := newHubTown(t)
	reader := h.file("reader.avsc", voidedFirst)
	h.says(exitFailed, `
hubctl schema check: there is no topic relais.to.nobody at KAFKA: the hub makes relais.to.<participant> when a participant is let in; check --topic and --bootstrap (UNKNOWN_TOPIC_OR_PARTITION: This server does not host this topic-partition.)
`, "--topic", "relais.to.nobody", reader)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	said, code := h.check(t.Context(), "--topic", toCNAF, "--bootstrap", closed.Addr().String(), reader)
	if want := "no Kafka broker answers at " + closed.Addr().String() + ": give its address with --bootstrap"; code != exitFailed || !strings.Contains(said, want) {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// cnafMay are the rights that the hub gives an operator: no group at all is used.
func cnafMay() kfake.Opt {
	return kfake.User("SCRAM-SHA-512", "cnaf", "its-password", kfake.ACL{
		Resource: kmsg.ACLResourceTypeTopic, Name: toCNAF, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationRead, Allow: true,
	})
}

func TestAnOperatorNeedsTheRightToReadItsTopicAndNothingElse(t *testing.T) {
	h := newHubTown(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("SCRAM-SHA-512", "hub", "hubs"), cnafMay())
	h.signIn = []kgo.Opt{kgo.SASL(scram.Auth{User: "hub", Pass: "hubs"}.AsSha512Mechanism())}
	h.write(0, avro(idFirst, "duplicate"))
	reader := h.file("reader.avsc", voidedFirst)
	for _, c := range []struct {
		name, password string
		args           []string
		code           int
		says           string
	}{
		{"signs in by the environment", "its-password", []string{"--topic", toCNAF, "--kafka-user", "cnaf"}, exitOK, "1 records on 2 partitions"},
		{"signs in by a file", "", []string{"--topic", toCNAF, "--kafka-user", "cnaf", "--kafka-password-file", h.file("password", "its-password\n")}, exitOK, "1 records on 2 partitions"},
		{"another's topic", "its-password", []string{"--topic", "relais.to.cpam", "--kafka-user", "cnaf"}, exitFailed, "cnaf may not read the topic relais.to.cpam: a participant reads its own"},
		{"a wrong password", "anothers", []string{"--topic", toCNAF, "--kafka-user", "cnaf"}, exitFailed, "lets cnaf in at KAFKA: look at the password"},
		{"nobody", "", []string{"--topic", toCNAF}, exitFailed, "--kafka-user or --kafka-cert where it asks who calls"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.password = c.password
			said, code := h.check(t.Context(), append(c.args, reader)...)
			if code != c.code || !strings.Contains(said, c.says) {
				t.Errorf("exit code %d, want %d with %q: %s", code, c.code, c.says, said)
			}
		})
	}
}

func TestALongReadingIsStoppedByItsUser(t *testing.T) {
	h := newHubTown(t)
	h.write(0, avro(idFirst, "duplicate"))
	ctx, stop := context.WithCancel(t.Context())
	h.kafka.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		stop()
		return nil, nil, false
	})
	said, code := h.check(ctx, "--topic", toCNAF, h.file("reader.avsc", voidedFirst))
	if code != exitFailed || said != "hubctl schema check: stopped\n" {
		t.Errorf("exit code %d: %s", code, said)
	}
}

func TestALongReadingTellsHowFarItIs(t *testing.T) {
	for name, want := range map[string]string{
		"on a terminal": "\r\x1b[Kreading relais.to.cnaf:  25 %  2 of 8 records\r\x1b[Kreading relais.to.cnaf:  50 %  4 of 8 records\r\x1b[K",
		"in a build":    "reading relais.to.cnaf:  50 %  4 of 8 records\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				p := &topicProgress{out: &printer{w: &out}, terminal: name == "on a terminal", topic: toCNAF}
				p.step(1, 8)
				<-time.After(drawEvery)
				p.step(2, 8)
				<-time.After(lineEvery)
				p.step(4, 8)
				p.end()
				if diff := cmp.Diff(fmt.Sprintf("%q", want), fmt.Sprintf("%q", out.String())); diff != "" {
					t.Error("told (-want +got)\n" + diff)
				}
			})
		})
	}
}
