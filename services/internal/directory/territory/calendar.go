package territory

import (
	"iter"
	"time"

	"github.com/relais-fr/relais/schemas"
)

// Calendar says when work is done at a place: on which days, and at which hours
// people are received. It does not change and is safe for concurrent use.
//
// A working day is Monday to Friday but for the zone's public holidays, from
// midnight to midnight. An office is closed on public holidays; it may be open on
// a Saturday, which is no working day all the same.
type Calendar struct {
	zone     *time.Location
	holidays *Holidays
	days     string // zone of public holidays
	hours    Week
}

// NewCalendar is the calendar of a time zone and a zone of public holidays. Hours
// that are not known are UsualHours.
func NewCalendar(zone *time.Location, holidays *Holidays, holidayZone string, hours Week) *Calendar {
	if hours.Empty() {
		hours = UsualHours
	}
	return &Calendar{zone: zone, holidays: holidays, days: holidayZone, hours: hours}
}

// Zone is where the calendar's hours are told.
func (c *Calendar) Zone() *time.Location { return c.zone }

func (c *Calendar) holiday(day time.Time) bool {
	_, ok := c.holidays.On(c.days, schemas.DayOf(day))
	return ok
}

// working says whether the day, a local time on it, is a working day.
func (c *Calendar) working(day time.Time) bool {
	return day.Weekday() != time.Saturday && day.Weekday() != time.Sunday && !c.holiday(day)
}

// AfterDays is n days later by the calendar, at the same local hour.
func (c *Calendar) AfterDays(t time.Time, n int) time.Time { return t.In(c.zone).AddDate(0, 0, n) }

// AfterWorkingDays is the n-th working day after the day of t, at the same local
// hour. The day of t itself does not count, whether or not it is one.
func (c *Calendar) AfterWorkingDays(t time.Time, n int) time.Time {
	day := t.In(c.zone)
	for n > 0 {
		day = c.nextDay(day)
		if c.working(day) {
			n--
		}
	}
	y, m, d := day.Date()
	h, min, s := t.In(c.zone).Clock()
	return time.Date(y, m, d, h, min, s, t.Nanosecond(), c.zone)
}

// AfterOpening is when people have been received for d since t.
func (c *Calendar) AfterOpening(t time.Time, d time.Duration) time.Time {
	return after(t, d, c.openings(t))
}

// AfterWorkingTime is when d of working days has passed since t: 24 hours are a
// whole working day.
func (c *Calendar) AfterWorkingTime(t time.Time, d time.Duration) time.Time {
	return after(t, d, c.workingDays(t))
}

// Opening is for how long people are received between two times.
func (c *Calendar) Opening(from, to time.Time) time.Duration {
	return between(from, to, c.openings(from))
}

// WorkingTime is how much of the working days lies between two times.
func (c *Calendar) WorkingTime(from, to time.Time) time.Duration {
	return between(from, to, c.workingDays(from))
}

// nextDay is noon of the following day: midnight is missing on some days of some
// zones.
func (c *Calendar) nextDay(day time.Time) time.Time {
	y, m, d := day.Date()
	return time.Date(y, m, d+1, 12, 0, 0, 0, c.zone)
}

// horizon bounds how far a calendar is followed: no deadline is longer, and an
// office that never opens would have none.
const horizon = 20 * 366

// workingDays are the working days from the day of t on, as spans of time.
func (c *Calendar) workingDays(t time.Time) iter.Seq2[time.Time, time.Time] {
	return func(yield func(from, to time.Time) bool) {
		day := t.In(c.zone)
		for range horizon {
			y, m, d := day.Date()
			if c.working(day) && !yield(time.Date(y, m, d, 0, 0, 0, 0, c.zone), time.Date(y, m, d+1, 0, 0, 0, 0, c.zone)) {
				return
			}
			day = c.nextDay(day)
		}
	}
}

// openings are the times at which people are received, from the day of t on.
func (c *Calendar) openings(t time.Time) iter.Seq2[time.Time, time.Time] {
	return func(yield func(from, to time.Time) bool) {
		day := t.In(c.zone)
		for range horizon {
			y, m, d := day.Date()
			for _, s := range c.hours[day.Weekday()] {
				if c.holiday(day) {
					break
				}
				if !yield(time.Date(y, m, d, 0, s.From, 0, 0, c.zone), time.Date(y, m, d, 0, s.To, 0, 0, c.zone)) {
					return
				}
			}
			day = c.nextDay(day)
		}
	}
}

// after is when d has passed since t within the spans; the last instant of a span
// counts to it.
func after(t time.Time, d time.Duration, spans iter.Seq2[time.Time, time.Time]) time.Time {
	end := t
	for from, to := range spans {
		if from.Before(t) {
			from = t
		}
		if !from.Before(to) {
			continue
		}
		if length := to.Sub(from); length < d {
			d -= length
			end = to
			continue
		}
		return from.Add(d)
	}
	return end
}

// between is how much of the spans lies between two times.
func between(start, stop time.Time, spans iter.Seq2[time.Time, time.Time]) time.Duration {
	var sum time.Duration
	for from, to := range spans {
		if !from.Before(stop) {
			return sum
		}
		if from.Before(start) {
			from = start
		}
		if to.After(stop) {
			to = stop
		}
		if from.Before(to) {
			sum += to.Sub(from)
		}
	}
	return sum
}
