package schemas

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Event is a CloudEvent 1.0: its attributes, and its data as bytes. Events are
// values; the maps and slices they hold are not changed once the event is made.
type Event struct {
	ID      string
	Source  string
	Type    string
	Subject string
	// Time is when it happened, by the sender's word; zero when not said.
	Time time.Time
	// DataSchema names the schema of Data, `<registry>/schemas/ids/<id>`.
	DataSchema string
	// DataContentType is AvroContentType for an event on our topics.
	DataContentType string
	// Extensions are the extension attributes by lower-case name, without `ce_`.
	Extensions map[string]string
	// Data is in Confluent framing (0x00, four bytes of schema id, Avro) when
	// DataContentType is AvroContentType, JSON when it is JSONContentType.
	Data []byte
}

// The media types of data and of whole events.
const (
	AvroContentType       = "application/vnd.confluent.avro"
	JSONContentType       = "application/json"
	StructuredContentType = "application/cloudevents+json"
	BatchContentType      = "application/cloudevents-batch+json"
)

// Extension attributes that a sender may set.
const (
	AttrCorrelationID = "correlationid"
	AttrTraceParent   = "traceparent"
	AttrPriority      = "priority"
	AttrLegalBasis    = "legalbasis"
	AttrMandate       = "mandate"
	AttrHistory       = "history"
)

// Extension attributes that are the hub's own. What comes from outside under
// these names is removed by the gateway before it makes its own.
const (
	// By the gateway.
	AttrPartitionKey  = "partitionkey"  // dossier, and record key
	AttrReceivedTime  = "receivedtime"  // RFC 3339, milliseconds; clamped by the ledger
	AttrRules         = "rules"         // rules version in force
	AttrTerritory     = "territory"     // department of the office concerned
	AttrSenderRole    = "senderrole"    // role of the sender, as the directory said
	AttrRecipientRole = "recipientrole" // role of the ReferralMade's `to`, as the directory said
	AttrSubmitter     = "submitter"     // who handed it in, by the door: the source's participant or its feeder
	AttrDoor          = "door"          // by which door it came in, as Door says; recipients do not get it
	AttrRepair        = "repair"        // of what a repair of the log appended: filler, mark, or where the submission stood at first
	AttrVerdict       = "verdict"       // the gateway's refusal, a RefusalReasons code
	AttrVerdictDetail = "verdictdetail" // what is at fault
	// By the ledger.
	AttrSequence           = "sequence"           // order of facts per dossier, ten digits
	AttrSubmittedPartition = "submittedpartition" // place
	AttrSubmittedOffset    = "submittedoffset"    // place
	AttrParties            = "parties"            // comma-separated participants concerned
	AttrLate               = "late"               // "true": past the limit, recorded all the same
	AttrCausationID        = "causationid"        // of a refusal or repeat: the id of the submission that it answers
	// By the router.
	AttrRecipient = "recipient"
	AttrReplay    = "replay" // id of the replay that wrote it again, at its recipient's wish
)

// SenderAttributes are the extension attributes that a sender may set; the
// gateway drops any other.
var SenderAttributes = []string{
	AttrCorrelationID, AttrTraceParent, AttrPriority, AttrLegalBasis, AttrMandate, AttrHistory,
}

// HubParticipant and OfficesParticipant are reserved participant ids.
const (
	HubParticipant     = "hub"
	OfficesParticipant = "offices"
	// LedgerSource is the source of refusals and repeats.
	LedgerSource = "/participants/hub/ledger"
)

// Participant is the id in the event's source, "" if the source is not one.
func (e Event) Participant() string {
	p, _, err := ParseSource(e.Source)
	if err != nil {
		return ""
	}
	return p
}

// ErrSource is returned for a source that is not `/participants/<id>/<system>`.
var ErrSource = errors.New("source is not /participants/<id>/<system>")

// ParseSource splits a source into the participant's id and its system.
func ParseSource(source string) (participant, system string, err error) {
	rest, ok := strings.CutPrefix(source, "/participants/")
	if !ok {
		return "", "", ErrSource
	}
	participant, system, ok = strings.Cut(rest, "/")
	if !ok || !ValidID(participant) || !ValidID(system) {
		return "", "", ErrSource
	}
	return participant, system, nil
}

// Source is `/participants/<participant>/<system>`.
func Source(participant, system string) string {
	return "/participants/" + participant + "/" + system
}

// Dossier is the subject up to `~`: what belongs together and keeps one order.
func Dossier(subject string) string {
	dossier, _, _ := strings.Cut(subject, "~")
	return dossier
}

// ValidID says whether s is 1 to 128 of letters, digits, `.`, `_` and `-`.
func ValidID(s string) bool {
	if len(s) == 0 || len(s) > 128 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// Place is where a submission stands on `relais.submitted`: the one name of an
// event that is unique everywhere.
type Place struct {
	Partition int
	Offset    int64
}

// String is `<partition>-<offset>`.
func (p Place) String() string {
	var space [40]byte
	b := append(strconv.AppendInt(space[:0], int64(p.Partition), 10), '-')
	return string(strconv.AppendInt(b, p.Offset, 10))
}

// ParsePlace reads what Place.String writes.
func ParsePlace(s string) (Place, error) {
	var p Place
	if n, err := fmt.Sscanf(s, "%d-%d", &p.Partition, &p.Offset); err != nil || n != 2 || p.String() != s || p.Partition < 0 || p.Offset < 0 {
		return Place{}, fmt.Errorf("%q is not a place: it looks like 3-1042", s)
	}
	return p, nil
}

// Day is a calendar day without a zone, as days since 1970-01-01 (Avro's date).
type Day int32

// DayOf is the calendar day of t in t's own location.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// ParseDay reads a day written 2006-01-02.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a day such as 2026-05-14", s)
	}
	return DayOf(t), nil
}

// Time is the day's midnight, UTC.
func (d Day) Time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// String is the day written 2006-01-02.
func (d Day) String() string { return d.Time().Format(time.DateOnly) }

// MarshalText writes the day as 2006-01-02.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a day written 2006-01-02.
func (d *Day) UnmarshalText(text []byte) error {
	day, err := ParseDay(string(text))
	if err != nil {
		return err
	}
	*d = day
	return nil
}
