package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// A repair makes the two logs of a partition go on where they no longer belong
// together, without an offset used twice and without a submission lost or judged
// twice. It knows nothing but the logs, and writes to nothing else:
//
//  1. Where relais.submitted ends before the highest submission that has an
//     outcome, fillers are appended up to that one.
//  2. A mark is appended, and behind it, in the order in which they were first
//     handed in, copies of all submissions that have no outcome of their own: those
//     whose offset was used twice, and those that were not judged yet.
//  3. Outcomes are recorded up to the mark: whatever stands before it without one
//     is a repeat of what stands behind it.
//
// The outcome of the mark is the decision that up to there the two logs need not
// agree: from then on the last submission that both logs have is the mark or a later
// one, and it is compared as ever. Until it is there the comparison fails, so that a
// repair that was broken off is begun again: what it had appended before is then
// repeated by the new mark like anything else without an outcome. From the mark on
// the copies are judged like any other submission.

// repairSource is the source of fillers and marks.
const repairSource = "/participants/" + schemas.HubParticipant + "/repair"

// What AttrRepair says of a submission that a repair appended. Of a copy it says
// the place at which the submission was first handed in.
const (
	repairFiller = "filler"
	repairMark   = "mark"
)

// repair is what is to be done on one partition, and what was done.
type repair struct {
	Partition int `json:"partition"`
	// Fault is why the partition is halted.
	Fault string `json:"fault"`
	// Judged is the highest submission that has an outcome, Ends where
	// relais.submitted ends.
	Judged int64 `json:"judged"`
	Ends   int64 `json:"ends"`
	// Fillers is how many offsets are filled, Mark the place from which the logs
	// belong together again.
	Fillers int64  `json:"fillers"`
	Mark    string `json:"mark,omitempty"`
	// HandedIn are the places whose submissions are handed in again, the first of
	// them only, HandedInCount how many there are.
	HandedIn      []string `json:"handed_in,omitempty"`
	HandedInCount int      `json:"handed_in_count"`
	// Overwritten is how many of them stand at an offset that was used before.
	Overwritten int `json:"overwritten"`
	// Done says that it was carried out.
	Done bool `json:"done"`
	// Cannot says why it cannot be mended here.
	Cannot string `json:"cannot,omitempty"`

	again []pending
	// written says that the mark and what is behind it stand there already.
	written bool
	mark    int64
}

// pending is a submission without an outcome of its own: where it was first handed
// in, and where it stands.
type pending struct{ first, at int64 }

// maxNamed bounds the places that a repair names.
const maxNamed = 100

// repaired mends the partition, or says what it would do. It is called while the
// partition is halted, so that nobody judges.
func (o *owner) repaired(ctx context.Context, part string, do bool) (*repair, error) {
	end, err := o.resume(ctx)
	if err == nil {
		err = o.fold(ctx, part, end)
	}
	if err == nil {
		err = o.checkLogs(ctx)
	}
	var broken *IntegrityError
	switch {
	case err == nil:
		return &repair{Partition: o.partition, Judged: o.highest}, nil
	case !errors.As(err, &broken):
		return nil, err
	case !broken.Mendable:
		return &repair{Partition: o.partition, Fault: broken.What, Judged: o.highest, Cannot: "restore " + o.recorded + " and " + o.submitted + " from where they are whole"}, nil
	}
	r, err := o.survey(ctx, broken.What)
	if err != nil || !do {
		return r, err
	}
	if !r.written {
		if err := o.append(ctx, r); err != nil {
			return nil, err
		}
		fillers, ends := r.Fillers, r.Ends
		// What was appended is looked at anew: an acknowledgement may have been lost.
		if r, err = o.survey(ctx, broken.What); err != nil {
			return nil, err
		}
		if !r.written {
			return nil, fmt.Errorf("partition %d: somebody else writes to %s: let the gateways close their doors, then run it again", o.partition, o.submitted)
		}
		r.Fillers, r.Ends = fillers, ends
	}
	if err := o.recordUpTo(ctx, r); err != nil {
		return nil, err
	}
	r.Done = true
	o.log.WarnContext(ctx, "partition is repaired", "mark", r.Mark, "fillers", r.Fillers, "handed_in", r.HandedInCount, "overwritten", r.Overwritten)
	return r, nil
}

// identity names a submission, as its own record and as its outcome tell it.
func identity(key []byte, source, id string) [sha256.Size]byte {
	return sha256.Sum256(bytes.Join([][]byte{key, []byte(source), []byte(id)}, []byte{0}))
}

// judged is what relais.recorded says of the submission at an offset.
type judged struct {
	known bool
	of    [sha256.Size]byte
	// postponed says that it is a repeat of a later one: a repair's.
	postponed bool
}

// judgments reads the outcomes of the partition by their submissions' offsets.
func (o *owner) judgments(ctx context.Context) ([]judged, error) {
	all := make([]judged, o.highest+1)
	return all, o.each(ctx, o.recorded, 0, o.at.Next, func(r broker.Record) error {
		out, err := o.outcomes.read(ctx, r)
		if err != nil {
			return err
		}
		if n := out.Place.Offset; n <= o.highest && !all[n].known {
			source, id := out.submission()
			all[n] = judged{known: true, of: identity(r.Key, source, id), postponed: out.postponed()}
		}
		return nil
	})
}

// each reads records of the partition from one offset up to another.
func (o *owner) each(ctx context.Context, topic string, from, end int64, take func(broker.Record) error) error {
	cursor := o.host.Broker.Cursor(topic, o.partition, from)
	for at := from; at < end; {
		batch, err := cursor.Fetch(ctx)
		if err != nil {
			return fmt.Errorf("read %s/%d at %d: %w", topic, o.partition, at, err)
		}
		for _, r := range batch.Records {
			if r.Offset >= end {
				return nil
			}
			if err := take(r); err != nil {
				return err
			}
		}
		at = batch.Next
	}
	return nil
}

// survey looks at both logs whole and says what is to be done.
func (o *owner) survey(ctx context.Context, fault string) (*repair, error) {
	held, err := o.host.Broker.RangeOf(ctx, o.submitted, o.partition)
	if err != nil {
		return nil, err
	}
	outcomes, err := o.judgments(ctx)
	if err != nil {
		return nil, err
	}
	r := &repair{Partition: o.partition, Fault: fault, Judged: o.highest, Ends: held.Next, Fillers: max(o.highest+1-held.Next, 0), mark: -1}
	waiting, settled := map[int64]int64{}, map[int64]bool{}
	var behind []int64 // what stands behind the last mark
	err = o.each(ctx, o.submitted, held.First, held.Next, func(rec broker.Record) error {
		said := string(rec.Header("ce_" + schemas.AttrRepair))
		switch said {
		case repairFiller:
			behind = append(behind, -1)
			return nil
		case repairMark:
			if rec.Offset > o.highest {
				r.mark, behind = rec.Offset, nil
			}
			return nil
		}
		first := rec.Offset
		if place, err := schemas.ParsePlace(said); err == nil && place.Partition == o.partition {
			first = place.Offset
			behind = append(behind, first)
		} else {
			behind = append(behind, -1)
		}
		e, err := schemas.FromRecord(rec.Headers, rec.Value)
		if err != nil {
			return fmt.Errorf("submission %d: %w", rec.Offset, err)
		}
		if rec.Offset <= o.highest {
			if j := outcomes[rec.Offset]; j.known && !j.postponed && j.of == identity(rec.Key, e.Source, e.ID) {
				settled[first] = true
				return nil
			}
		}
		waiting[first] = rec.Offset
		return nil
	})
	if err != nil {
		return nil, err
	}
	for first, at := range waiting {
		if !settled[first] {
			r.again = append(r.again, pending{first, at})
		}
	}
	slices.SortFunc(r.again, func(a, b pending) int { return int(a.first - b.first) })
	r.written = r.mark >= 0 && slices.EqualFunc(r.again, behind, func(p pending, first int64) bool { return p.first == first })
	for i, p := range r.again {
		if i < maxNamed {
			r.HandedIn = append(r.HandedIn, schemas.Place{Partition: o.partition, Offset: p.first}.String())
		}
		if p.first <= o.highest {
			r.Overwritten++
		}
	}
	r.HandedInCount = len(r.again)
	if !r.written {
		r.mark = held.Next + r.Fillers
	}
	r.Mark = schemas.Place{Partition: o.partition, Offset: r.mark}.String()
	return r, nil
}

// append writes fillers, mark and copies. Each request says where the log must end.
func (o *owner) append(ctx context.Context, r *repair) error {
	end := r.Ends
	var batch []broker.Record
	size := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		base, err := o.host.Broker.ProduceBatch(ctx, o.submitted, o.partition, batch)
		if err != nil {
			return fmt.Errorf("hand in again: %w", err)
		}
		if base != end {
			return fmt.Errorf("partition %d: somebody else writes to %s: let the gateways close their doors, then run it again", o.partition, o.submitted)
		}
		end += int64(len(batch))
		batch, size = batch[:0], 0
		return nil
	}
	add := func(rec broker.Record) error {
		if size+sizeOf(rec) > batchBytes || len(batch) == batchRecords {
			if err := flush(); err != nil {
				return err
			}
		}
		batch, size = append(batch, rec), size+sizeOf(rec)
		return nil
	}
	for n := range r.Fillers {
		filler, err := o.own(ctx, repairFiller, r.Ends+n)
		if err == nil {
			err = add(filler)
		}
		if err != nil {
			return err
		}
	}
	mark, err := o.own(ctx, repairMark, r.mark)
	if err == nil {
		err = add(mark)
	}
	if err != nil {
		return err
	}
	for _, p := range r.again {
		rec, err := o.recordAt(ctx, o.submitted, p.at)
		if err != nil {
			return err
		}
		if err := add(o.copyOf(rec, p.first)); err != nil {
			return err
		}
	}
	return flush()
}

// copyOf is a submission handed in again: the same, but that it says where it stood
// at first.
func (o *owner) copyOf(rec broker.Record, first int64) broker.Record {
	const name = "ce_" + schemas.AttrRepair
	headers := slices.DeleteFunc(slices.Clone(rec.Headers), func(h schemas.Header) bool { return h.Key == name })
	headers = append(headers, schemas.Header{Key: name, Value: []byte(schemas.Place{Partition: o.partition, Offset: first}.String())})
	return broker.Record{Topic: o.submitted, Partition: o.partition, Key: rec.Key, Value: rec.Value, Headers: headers, Time: rec.Time}
}

// own is an event of the hub's without effect, for one offset: a probe to nobody, as
// the first rules judge it, in a dossier of its own.
func (o *owner) own(ctx context.Context, what string, offset int64) (broker.Record, error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	data, err := o.codec.Encode(ctx, &schemas.ProbeSent{Sent: now})
	if err != nil {
		return broker.Record{}, err
	}
	n := o.host.Settings.Partitions
	var dossier string
	for i := 0; ; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d-%d %d", what, o.partition, offset, i))
		id := uuid.UUID(sum[:16])
		id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
		if dossier = id.String(); broker.PartitionOf([]byte(dossier), n) == o.partition {
			break
		}
	}
	e := schemas.Event{
		ID: fmt.Sprintf("%s-%d-%d", what, o.partition, offset), Source: repairSource, Type: schemas.TypeProbeSent, Subject: dossier, Time: now,
		DataContentType: schemas.AvroContentType, Data: data,
		Extensions: map[string]string{
			schemas.AttrPartitionKey: dossier, schemas.AttrReceivedTime: formatMillis(now.UnixMilli()), schemas.AttrRules: strconv.Itoa(1),
			schemas.AttrSubmitter: schemas.HubParticipant, schemas.AttrSenderRole: string(schemas.RoleHub), schemas.AttrRepair: what,
		},
	}
	return broker.Record{Topic: o.submitted, Partition: o.partition, Key: []byte(dossier), Value: data, Headers: schemas.Headers(e), Time: now}, nil
}

// recordUpTo records outcomes up to the mark: what stands before it is a repeat of
// its copy, and what has no copy (an older mark, say) one of the mark itself. The
// last batch has the mark's.
func (o *owner) recordUpTo(ctx context.Context, r *repair) error {
	o.postponed = map[int64]schemas.Place{}
	defer func() { o.postponed = nil }()
	copies := map[int64]int64{}
	for i, p := range r.again {
		copies[p.first] = r.mark + 1 + int64(i)
	}
	var records []broker.Record
	err := o.each(ctx, o.submitted, o.highest+1, r.mark+1, func(rec broker.Record) error {
		records = append(records, rec)
		if rec.Offset == r.mark {
			return nil
		}
		first := rec.Offset
		if place, err := schemas.ParsePlace(string(rec.Header("ce_" + schemas.AttrRepair))); err == nil {
			first = place.Offset
		}
		at, ok := copies[first]
		if !ok {
			at = r.mark
		}
		o.postponed[rec.Offset] = schemas.Place{Partition: o.partition, Offset: at}
		return nil
	})
	if err != nil {
		return err
	}
	for left := records; len(left) > 0; {
		n, err := o.step(ctx, left[:min(len(left), batchRecords)])
		if err != nil {
			return err
		}
		left = left[n:]
	}
	o.log.InfoContext(ctx, "outcomes are recorded up to the mark", telemetry.KeyCount, len(records))
	return nil
}
