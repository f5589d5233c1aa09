package directory

import (
	"bytes"
	"embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"github.com/relais-fr/relais/schemas"
	dir "github.com/relais-fr/relais/services/internal/directory"
)

//go:embed data/*.csv data/LICENCE.md
var data embed.FS

// table reads a compiled-in CSV file without its header line.
func table(name string, row func(cells []string)) error {
	file, err := data.ReadFile("data/" + name)
	if err != nil {
		return err
	}
	rows, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil {
		return fmt.Errorf("table %s: %w", name, err)
	}
	for _, cells := range rows[1:] {
		row(cells)
	}
	return nil
}

// operators are the national operators of the basket.
func operators() ([]dir.Participant, error) {
	var all []dir.Participant
	err := table("operators.csv", func(c []string) {
		all = append(all, dir.Participant{
			ID: strings.ToLower(c[0]), Name: c[1], Role: dir.RoleOperator,
			Authority: c[2], InBasketSince: c[3], PreviousName: c[4], LocalNetwork: c[5],
		})
	})
	return all, err
}

// basket is the national basket of services. A body marked with a star in the
// table is competent too but takes no part in the exchange.
func basket() ([]dir.Service, error) {
	var all []dir.Service
	err := table("services.csv", func(c []string) {
		s := dir.Service{Code: c[0], Theme: c[1], Label: c[2], Operators: []string{}}
		for body := range strings.SplitSeq(strings.ToLower(c[3]), "|") {
			if outside, ok := strings.CutPrefix(body, "*"); ok {
				s.Outside = append(s.Outside, outside)
			} else {
				s.Operators = append(s.Operators, body)
			}
		}
		all = append(all, s)
	})
	return all, err
}

// hubItself is the participant that the hub's own submissions are from.
var hubItself = dir.Participant{ID: schemas.HubParticipant, Name: "Relais", Role: dir.RoleHub}

// basketRecords are the participants and services that every installation has,
// where the directory lacks them or has them otherwise: a newer build may bring
// a newer basket.
func basketRecords(now *dir.Snapshot) ([]dir.Record, error) {
	participants, err := operators()
	if err != nil {
		return nil, err
	}
	services, err := basket()
	if err != nil {
		return nil, err
	}
	var all []recorder
	for _, p := range append(participants, hubItself) {
		had, ok := now.Participant(p.ID)
		// What was done to it here stays: a build knows the basket, not who is let in.
		p.SuspendedSince, p.DoorsSince, p.ClosedOn = had.SuspendedSince, had.DoorsSince, had.ClosedOn
		if !ok || !same(had, p) {
			all = append(all, p)
		}
	}
	for _, s := range services {
		if had, ok := now.Service(s.Code); !ok || !same(had, s) {
			all = append(all, s)
		}
	}
	return recordsOf(all...)
}

// same says whether two records read the same on the topic.
func same(a, b recorder) bool {
	one, errOne := a.Record()
	two, errTwo := b.Record()
	return errOne == nil && errTwo == nil && one.Key == two.Key && slices.Equal(one.Value, two.Value)
}
