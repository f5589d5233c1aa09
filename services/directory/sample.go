package directory

import (
	"fmt"

	"github.com/relais-fr/relais/services/directory/officelist"
	dir "github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/territory"
)

// feederParticipant may hand in for every office, as office software and the
// bulk import do.
var feederParticipant = dir.Participant{ID: "feeder", Name: "Reprise et logiciels des structures", Role: dir.RoleFeeder, Feeds: []string{"*"}}

// sampleRecords are the project's own sample: made-up offices in real communes,
// kept in the official list's layout and read as the list is, and a feeder.
func sampleRecords() ([]recorder, error) {
	offices, err := sampleOffices()
	if err != nil {
		return nil, err
	}
	all := []recorder{feederParticipant}
	for _, o := range offices {
		all = append(all, o)
	}
	return all, nil
}

func sampleOffices() ([]dir.Office, error) {
	file, err := data.ReadFile("data/demo-offices.csv")
	if err != nil {
		return nil, err
	}
	atlas, err := territory.Load()
	if err != nil {
		return nil, err
	}
	list, err := officelist.Read(file, atlas, officelist.Options{Prefix: dir.DemoPrefix})
	if err != nil {
		return nil, fmt.Errorf("sample offices: %w", err)
	}
	return list.Offices, nil
}
