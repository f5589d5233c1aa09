package territory

import (
	"testing"
	"time"
)

func calendarOf(t *testing.T, zone, days, hours string) *Calendar {
	t.Helper()
	holidays, err := LoadHolidays()
	if err != nil {
		t.Fatal(err)
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	week, err := ParseWeek(hours)
	if err != nil {
		t.Fatal(err)
	}
	return NewCalendar(location, holidays, days, week)
}

func TestHoursAreReadAsTheDirectoryWritesThem(t *testing.T) {
	for hours, want := range map[string]time.Duration{
		"":                              30 * time.Hour, // usual hours
		"PH off":                        30 * time.Hour,
		"Mo-Fr 09:00-12:00":             15 * time.Hour,
		"Mo,We 09:00-12:00; PH off":     6 * time.Hour,
		"Mo-Sa 08:30-12:00,13:30-24:00": 84 * time.Hour,
		"Sa-Mo 10:00-11:00":             3 * time.Hour,
		"Mo-Fr 09:00-12:00; We off":     12 * time.Hour,
	} {
		c := calendarOf(t, "Europe/Paris", Metropole, hours)
		monday := time.Date(2026, 9, 7, 0, 0, 0, 0, c.Zone())
		if got := c.Opening(monday, monday.AddDate(0, 0, 7)); got != want {
			t.Errorf("%q: open %v a week, want %v", hours, got, want)
		}
	}
	for _, hours := range []string{"Mo", "Mo 9-12", "Xx 09:00-12:00", "Mo 12:00-09:00", "Mo 09:00-25:00", "Mo 14:00-17:00,09:00-12:00", "Mo-Xx 09:00-12:00"} {
		if _, err := ParseWeek(hours); err == nil {
			t.Errorf("%q was read", hours)
		}
	}
}

// What is counted between two times is what leads from the one to the other.
func TestTimeThatWasCountedLeadsThere(t *testing.T) {
	c := calendarOf(t, "Europe/Paris", "alsace-moselle", "Tu-Fr 09:00-12:30,13:30-17:30; Sa 09:00-12:00")
	start := time.Date(2026, 3, 24, 10, 17, 0, 0, c.Zone())
	for hour := range 24 * 40 {
		end := start.Add(time.Duration(hour) * time.Hour)
		for name, pair := range map[string][2]time.Duration{
			"working": {c.WorkingTime(start, end), c.WorkingTime(start, c.AfterWorkingTime(start, c.WorkingTime(start, end)))},
			"opening": {c.Opening(start, end), c.Opening(start, c.AfterOpening(start, c.Opening(start, end)))},
		} {
			if pair[0] != pair[1] {
				t.Fatalf("%s time from %v to %v: %v, and then %v", name, start, end, pair[0], pair[1])
			}
		}
	}
}
