package broker_test

import (
	"testing"

	"github.com/relais-fr/relais/services/internal/enginetest"
)

type manner int

const (
	breaking manner = iota + 1
	// inRealTime is for a line that is paused: the client library's goroutines then
	// wait for each other's locks, which virtual time does not take for waiting.
	inRealTime
)

// conformance is what the broker package promises on any Kafka. Every test here
// runs on the embedded broker and on Apache Kafka; where the two differ, it says
// so in the table of differences.
var conformance = []struct {
	name string
	// how is when brokers are killed, so that nothing else may run at the same time,
	// or when virtual time would stand still.
	how  manner
	test func(t *testing.T, e *engine)
}{
	{"a record comes back as it was sent", 0, recordsComeBack},
	{"topics are made once, as they were asked for", 0, topicsAreMadeOnce},
	{"good records go through among bad ones", 0, badAmongGood},
	{"a record's time is its producer's, within bounds", 0, timesOfRecords},
	{"a limit counts what is stored", 0, limitsCountWhatIsStored},
	{"a fetch brings a whole batch, however large", 0, fetchesBringWholeBatches},
	{"every packing is understood", 0, everyPacking},
	{"a hostile batch harms nobody", 0, hostileBatch},
	{"transactions of others are respected", 0, transactions},
	{"lost acknowledgements repeat and reorder nothing", 0, lostAnswers},
	{"who writes beside us shows in the base offset", 0, anotherWriter},
	{"offsets are found by time", 0, offsetsByTime},
	{"a group shares, commits and goes on", 0, groupsShare},
	{"what a commit may carry", 0, whatACommitCarries},
	{"new partitions are taken up", 0, newPartitions},
	{"an owner that stood still for longer than its session", inRealTime, theZombie},
	{"a log cut at its beginning", 0, cutBeginning},
	{"a log that retention has emptied", 0, retention},
	{"a compacted log", 0, compaction},
	{"a topic that is deleted, and made again", 0, deletedTopic},
	{"a leader that is killed", breaking, killedLeader},
	{"too few replicas", breaking, tooFewReplicas},
	{"all brokers away for a while", breaking, allAway},
	{"a log cut at its end", breaking, cutEnd},
}

func TestConformanceOnTheEmbeddedBroker(t *testing.T) {
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			onTheEmbedded(t, c.how != inRealTime, c.test)
		})
	}
}

func TestConformanceOnApacheKafka(t *testing.T) {
	local := enginetest.NewLocal(t)
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			if c.how != breaking {
				t.Parallel()
			}
			onApacheKafka(t, local, c.test)
		})
	}
}

// differences is all in which the embedded broker and Apache Kafka are known to
// differ where Relais could notice. What is not here is the same on both.
var differences = map[string]struct{ embedded, apache string }{
	"a topic's setting that does not exist": {
		"done", "refused: Invalid Configuration",
	},
	"a record beyond the bound that a topic sets to times": {
		"done", "refused: Invalid Timestamp",
	},
	"a record two hours ahead, where the topic sets no bound": {
		"done", "refused: Invalid Timestamp",
	},
	"the time that is read where the topic says LogAppendTime": {
		"the producer's", "the broker's",
	},
	"a batch that claims two billion records and holds none": {
		"taken", "INVALID_RECORD",
	},
	"a commit with more than 4096 bytes of metadata": {
		"done", "refused: Offset Metadata Too Large",
	},
	"a record for a partition of which too few replicas are there": {
		"done", "waits", // the embedded broker has one copy of each record
	},
	"records in the half of a log's file that was cut off": {
		"they are gone without a word, and their offsets are given again", "a replica has them",
	},
}

// differs wants of an engine what the table says of it.
func (e *engine) differs(what, got string) {
	e.t.Helper()
	row, ok := differences[what]
	want := row.embedded
	if e.onApache() {
		want = row.apache
	}
	if !ok || got != want {
		e.t.Errorf("%s: %q, want %q", what, got, want)
	}
}
