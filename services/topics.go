package services

import (
	"math"
	"strconv"
	"time"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
)

// Retention of what participants write and read: longer than any outage that we
// promise to survive.
const (
	fromRetention = 14 * 24 * time.Hour
	toRetention   = 60 * 24 * time.Hour
	// What comes to the hub itself are its own probes, which only time the road.
	toHubRetention = 24 * time.Hour
)

// Bounds of records, in bytes. A quarantined record is a whole `from` record and
// the reason; an outcome is a submission and the ledger's stamps.
const (
	fromMaxBytes       = 1 << 20
	hubMaxBytes        = fromMaxBytes + 64<<10
	quarantineMaxBytes = fromMaxBytes + 128<<10
)

// fromPartitions is how many partitions a participant's way in has; the
// submissions are spread by dossier whatever it is.
const fromPartitions = 3

// maxClockAhead is how far a gateway's clock may run ahead of the broker's.
const maxClockAhead = time.Minute

// MinInSync is how many brokers must have a record before it is acknowledged: two
// as soon as there are three to choose from, so that no acknowledged record is on
// one disk only and any one broker may be away.
func MinInSync(replication int) string {
	if replication >= 3 {
		return "2"
	}
	return "1"
}

// HubTopics are the topics that every installation has. Every setting is
// explicit: Kafka's default keeps seven days, and acknowledges what one broker has.
func HubTopics(s config.Settings) []broker.TopicSpec {
	topic := topicsOf(s)
	submitted := kept(hubMaxBytes)
	submitted["message.timestamp.after.max.ms"] = millis(maxClockAhead)
	return []broker.TopicSpec{
		topic("from.offices", s.Partitions, from()),
		topic("from.hub", fromPartitions, from()),
		topic("submitted", s.Partitions, submitted),
		topic("recorded", s.Partitions, kept(hubMaxBytes)),
		topic("to.offices", s.Partitions, kept(hubMaxBytes)),
		topic("to.hub", s.Partitions, limited(toHubRetention, hubMaxBytes)),
		topic("deliveries", s.Partitions, compacted()),
		topic("quarantine", 1, kept(quarantineMaxBytes)),
		topic("directory", 1, compacted()),
	}
}

// ParticipantTopics are the way in and the way out of one participant.
func ParticipantTopics(s config.Settings, participant string) []broker.TopicSpec {
	topic := topicsOf(s)
	return []broker.TopicSpec{
		topic("from."+participant, fromPartitions, from()),
		topic("to."+participant, s.Partitions, limited(toRetention, hubMaxBytes)),
	}
}

// topicsOf makes the specs of the installation's topics.
func topicsOf(s config.Settings) func(name string, partitions int, settings map[string]string) broker.TopicSpec {
	return func(name string, partitions int, settings map[string]string) broker.TopicSpec {
		settings["min.insync.replicas"] = MinInSync(s.Replication)
		return broker.TopicSpec{Name: s.Prefix + "." + name, Partitions: partitions, Settings: settings}
	}
}

func kept(maxBytes int) map[string]string {
	return map[string]string{
		"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1",
		"max.message.bytes": strconv.Itoa(maxBytes), "unclean.leader.election.enable": "false",
		// A copy is never refused for its original's time.
		"message.timestamp.type": "CreateTime", "message.timestamp.before.max.ms": anyTime, "message.timestamp.after.max.ms": anyTime,
	}
}

// anyTime bounds nothing.
var anyTime = strconv.FormatInt(math.MaxInt64, 10)

// from is a way in. Its records count from when the broker got them: by a sender's
// clock of 1970 they would be removed before they are read, by one of 2100 never.
func from() map[string]string {
	settings := limited(fromRetention, fromMaxBytes)
	settings["message.timestamp.type"] = "LogAppendTime"
	return settings
}

func limited(retention time.Duration, maxBytes int) map[string]string {
	settings := kept(maxBytes)
	settings["retention.ms"] = millis(retention)
	return settings
}

func compacted() map[string]string {
	settings := kept(hubMaxBytes)
	settings["cleanup.policy"] = "compact"
	return settings
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
