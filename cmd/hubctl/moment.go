package main

import (
	"fmt"
	"time"
)

// momentLayouts are how a person may write a time; those without a zone are in
// the zone of whoever asks.
var momentLayouts = []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04", time.DateOnly}

// parseMoment reads a time as a person writes it: `2026-05-14`, `2026-05-14 09:30`
// and `2026-05-14T09:30:15` in the zone, `2026-05-14T07:30:00Z` in its own.
func parseMoment(text string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	for _, layout := range momentLayouts {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2026-05-14T09:30 for one in your zone (%s), or 2026-05-14T07:30:00Z", text, zone)
}
