package main

import (
	"context"
	"fmt"
	"time"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
)

const officesPath = "/v1/directory/offices"

// zones are the offices' time zones, by the directory.
type zones map[string]*time.Location

func (z zones) of(office string) (*time.Location, bool) {
	zone, ok := z[office]
	return zone, ok
}

// allOffices is how many offices the directory lists at most.
const allOffices = 5000

// loadZones asks the directory for all offices.
func loadZones(ctx context.Context, client *door.Client) (zones, error) {
	var answer struct {
		Offices []struct {
			ID       string `json:"id"`
			TimeZone string `json:"timezone"`
		} `json:"offices"`
		Known int `json:"known"`
	}
	if err := client.Get(ctx, fmt.Sprintf("%s?limit=%d", officesPath, allOffices), &answer); err != nil {
		return nil, fmt.Errorf("ask the directory for the offices: %w", err)
	}
	if answer.Known > len(answer.Offices) {
		return nil, fmt.Errorf("the directory has %d offices and lists %d of them only", answer.Known, len(answer.Offices))
	}
	all, byName := make(zones, len(answer.Offices)), map[string]*time.Location{}
	for _, o := range answer.Offices {
		zone, ok := byName[o.TimeZone]
		if !ok {
			var err error
			if zone, err = time.LoadLocation(o.TimeZone); err != nil {
				return nil, fmt.Errorf("office %s: %w", o.ID, err)
			}
			byName[o.TimeZone] = zone
		}
		all[o.ID] = zone
	}
	return all, nil
}
