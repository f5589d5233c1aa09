package desk

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/relais-fr/relais/schemas"
)

// VisitChange is a change among an office's visits. A visit is kept under its day
// and its case id.
type VisitChange struct {
	Case string
	// Day is where the visit is put; it is not kept when Value is nil.
	Day   schemas.Day
	Value []byte
	// Without are the days from which the visit is taken away.
	Without []schemas.Day
	// Forget are days of which all visits are dropped.
	Forget []schemas.Day
}

func (o *Office) record(e *Event, day schemas.Day) *VisitChange {
	v := &VisitChange{Case: e.Subject, Day: day}
	if kept := o.keep(day, v); kept != nil && kept.Visits < MaxVisits {
		kept.Visits++
		v.Value = EncodeVisit(Visit{Type: e.Type, Received: e.Received, Data: e.Data})
	}
	return v
}

// correct puts the whole record again, perhaps under another day. Where it was
// before is not known: corrections are rare, so that it is taken away from every
// other day.
func (o *Office) correct(e *Event, day schemas.Day) *VisitChange {
	v := o.void(e)
	v.Day = day
	if o.keep(day, v) != nil {
		v.Value = EncodeVisit(Visit{Type: e.Type, Received: e.Received, Data: e.Data})
	}
	v.Without = slices.DeleteFunc(v.Without, func(d schemas.Day) bool {
		return d == day && v.Value != nil || slices.Contains(v.Forget, d)
	})
	return v
}

func (o *Office) void(e *Event) *VisitChange {
	v := &VisitChange{Case: e.Subject}
	for _, d := range o.Days {
		v.Without = append(v.Without, d.Day)
	}
	return v
}

// keep is the day's place among the days that are kept, nil when it is earlier
// than all of them; the earliest makes room.
func (o *Office) keep(day schemas.Day, v *VisitChange) *Day {
	i, found := slices.BinarySearchFunc(o.Days, day, func(d Day, day schemas.Day) int { return int(d.Day) - int(day) })
	if found {
		return &o.Days[i]
	}
	if len(o.Days) >= MaxDays {
		if i == 0 {
			return nil
		}
		v.Forget = append(v.Forget, o.Days[0].Day)
		o.Days = slices.Delete(o.Days, 0, 1)
		i--
	}
	o.Days = slices.Insert(o.Days, i, Day{Day: day})
	return &o.Days[i]
}

// Visit is a visit as it is kept: its data as they came, for there are many.
type Visit struct {
	// Type is VisitRecorded's or VisitCorrected's.
	Type     string
	Received time.Time
	// Data is in Confluent framing.
	Data []byte
}

const (
	visitRecorded  = 'r'
	visitCorrected = 'c'
	visitHead      = 9
)

// EncodeVisit is one letter for the type, eight bytes of Unix milliseconds, and
// the data.
func EncodeVisit(v Visit) []byte {
	letter := byte(visitRecorded)
	if v.Type == schemas.TypeVisitCorrected {
		letter = visitCorrected
	}
	b := make([]byte, visitHead, visitHead+len(v.Data))
	b[0] = letter
	binary.BigEndian.PutUint64(b[1:], uint64(v.Received.UnixMilli()))
	return append(b, v.Data...)
}

// ErrVisit is returned for what EncodeVisit has not made.
var ErrVisit = errors.New("not a visit as it is kept")

// DecodeVisit reads what EncodeVisit made.
func DecodeVisit(b []byte) (Visit, error) {
	if len(b) < visitHead {
		return Visit{}, ErrVisit
	}
	v := Visit{Received: time.UnixMilli(int64(binary.BigEndian.Uint64(b[1:]))).UTC(), Data: b[visitHead:]}
	switch b[0] {
	case visitRecorded:
		v.Type = schemas.TypeVisitRecorded
	case visitCorrected:
		v.Type = schemas.TypeVisitCorrected
	default:
		return Visit{}, ErrVisit
	}
	return v, nil
}
