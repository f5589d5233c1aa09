// Package territory knows where things are: the communes of the official
// geographic code with their postcodes, the groupings (EPCI), departments and
// regions above them, and for each department the time zone in which its hours
// are told, its zone of public holidays, and the box on the map in which it
// lies.
//
// The tables are compiled in (data/, with their licence in data/LICENCE.md) and
// read with Load and LoadHolidays, which nobody needs to do while no list of
// offices is imported. Codes are strings and never numbers: 2A004, 01033, 97801.
package territory

import (
	"fmt"
	"strconv"
	"strings"
)

// Status says what a commune's code stands for.
type Status string

// The statuses.
const (
	Current        Status = "commune-actuelle"
	Delegated      Status = "commune-deleguee"         // merged; part of Parent
	Associated     Status = "commune-associee"         // merged; part of Parent
	Arrondissement Status = "arrondissement-municipal" // of Paris, Lyon, Marseille
)

// Commune is one code of the official geographic code.
type Commune struct {
	Code, Name string
	Status     Status
	// Parent is the code of the commune that it is a part of, else empty.
	Parent string
	// EPCI is the code of its grouping; empty for the few without one.
	EPCI string
	// Population is 0 when not known: only current communes and arrondissements
	// have one.
	Population int

	postcodes string
}

// Merged says whether the commune has become a part of its Parent.
func (c Commune) Merged() bool { return c.Status == Delegated || c.Status == Associated }

// Postcodes are the commune's postcodes.
func (c Commune) Postcodes() []string { return strings.Split(c.postcodes, "|") }

// HasPostcode says whether the postcode is one of the commune's.
func (c Commune) HasPostcode(postcode string) bool {
	for p := range strings.SplitSeq(c.postcodes, "|") {
		if p == postcode {
			return true
		}
	}
	return false
}

// Department is a department, or an overseas collectivity in its place.
type Department struct{ Code, Name, Region string }

// Place is a code with a name.
type Place struct{ Code, Name string }

// Atlas is the geographic code. It does not change and is safe for concurrent
// use.
type Atlas struct {
	communes    map[string]Commune
	departments map[string]Department
	regions     map[string]Place
	epcis       map[string]Place
}

// Load reads the compiled-in geographic code, which takes some 30 ms and holds 10 MB.
func Load() (*Atlas, error) {
	a := &Atlas{
		communes: make(map[string]Commune, 40_000), departments: map[string]Department{},
		regions: map[string]Place{}, epcis: map[string]Place{},
	}
	for _, table := range []struct {
		name string
		row  func(cells []string) error
	}{
		{"communes", a.addCommune},
		{"departements", func(c []string) error { a.departments[c[0]] = Department{c[0], c[1], c[2]}; return nil }},
		{"regions", func(c []string) error { a.regions[c[0]] = Place{c[0], c[1]}; return nil }},
		{"epci", func(c []string) error { a.epcis[c[0]] = Place{c[0], c[1]}; return nil }},
	} {
		if err := readTable(table.name, table.row); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *Atlas) addCommune(cells []string) error {
	c := Commune{Code: cells[0], Name: cells[1], Status: Status(cells[2]), Parent: cells[3], EPCI: cells[4], postcodes: cells[6]}
	if cells[5] != "" {
		n, err := strconv.Atoi(cells[5])
		if err != nil {
			return fmt.Errorf("population of %s: %w", c.Code, err)
		}
		c.Population = n
	}
	a.communes[c.Code] = c
	return nil
}

// Commune looks a code up as it stands in the geographic code.
func (a *Atlas) Commune(code string) (Commune, bool) {
	c, ok := a.communes[code]
	return c, ok
}

// Department looks a department up by code.
func (a *Atlas) Department(code string) (Department, bool) {
	d, ok := a.departments[code]
	return d, ok
}

// Region looks a region up by code.
func (a *Atlas) Region(code string) (Place, bool) {
	r, ok := a.regions[code]
	return r, ok
}

// EPCI looks a grouping of communes up by code.
func (a *Atlas) EPCI(code string) (Place, bool) {
	e, ok := a.epcis[code]
	return e, ok
}

// DepartmentOf is the department of a current commune by its code: three
// characters overseas, else two. (A merged commune may lie in another department
// than its code says; ask for its parent's.)
func DepartmentOf(commune string) string {
	switch {
	case len(commune) < 3:
		return ""
	case strings.HasPrefix(commune, "97"), strings.HasPrefix(commune, "98"):
		return commune[:3]
	}
	return commune[:2]
}
