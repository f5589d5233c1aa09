package directory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	dir "github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/directorytest"
)

func TestDiff(t *testing.T) {
	lat, lon, other := 46.1, 1.8, 46.2
	had := dir.Office{ID: "fs-1", Matricule: 1, Name: "Un", Address: "1 Rue X", Phone: "+33555000001", Hours: "Mo 09:00-12:00; PH off", Lat: &lat, Lon: &lon, Services: []string{"*"}, ValidFrom: "2022-01-01"}
	closed := dir.Office{ID: "fs-2", Matricule: 2, Name: "Deux", Services: []string{"*"}, ClosedOn: "2023-01-01", ValidFrom: "2023-01-01"}
	demo := dir.Office{ID: "demo-1", Name: "Essai", Services: []string{"*"}}
	listed := func(change func(*dir.Office)) []dir.Office {
		o := had
		o.ValidFrom = ""
		change(&o)
		return []dir.Office{o}
	}
	for _, test := range []struct {
		name string
		list []dir.Office
		want []string // id, kinds, fields, validity and closing of the record
	}{
		{"the same office changes nothing, and a closed one stays closed", listed(func(*dir.Office) {}), nil},
		{"a new office", append(listed(func(*dir.Office) {}), dir.Office{ID: "fs-3", Name: "Trois"}), []string{"fs-3 [new] [] 2024-08-01 -"}},
		{"an office that is gone is closed, and the sample left alone", nil, []string{"fs-1 [gone] [] 2024-08-01 2024-08-01"}},
		{"an office that is back", append(listed(func(*dir.Office) {}), dir.Office{ID: "fs-2", Matricule: 2, Name: "Deux bis", Services: []string{"*"}}), []string{"fs-2 [back renamed] [name] 2024-08-01 -"}},
		{"a new name", listed(func(o *dir.Office) { o.Name = "Une" }), []string{"fs-1 [renamed] [name] 2024-08-01 -"}},
		{"another place", listed(func(o *dir.Office) { o.Address, o.Lat = "2 Rue X", &other }), []string{"fs-1 [moved] [address lat] 2024-08-01 -"}},
		{"coordinates that are gone", listed(func(o *dir.Office) { o.Lat, o.Lon = nil, nil }), []string{"fs-1 [moved] [lat lon] 2024-08-01 -"}},
		{"other hours", listed(func(o *dir.Office) { o.Hours, o.WeeklyMinutes = "", 0 }), []string{"fs-1 [hours] [hours] 2024-08-01 -"}},
		{"several at once", listed(func(o *dir.Office) {
			o.Phone, o.Kind, o.Region, o.Note, o.Quirks = "", dir.KindAntenna, "75", "x", []string{"y"}
		}), []string{"fs-1 [form details contact territory] [kind note phone quirks region] 2024-08-01 -"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := directorytest.View(t, had, closed, demo).Snapshot()
			changes, records, err := diff(now, test.list, "2024-08-01")
			if err != nil {
				t.Fatal(err)
			}
			after := directorytest.View(t)
			if err := after.Apply(records...); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range changes {
				var fields []string
				for _, f := range c.Fields {
					fields = append(fields, f.Field)
				}
				o, _ := after.Office(c.ID)
				closedOn := o.ClosedOn
				if closedOn == "" {
					closedOn = "-"
				}
				got = append(got, fmt.Sprint(c.ID, " ", c.Kinds, " ", fields, " ", o.ValidFrom, " ", closedOn))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if len(records) != len(changes) {
				t.Errorf("%d records for %d changes", len(records), len(changes))
			}
		})
	}
	t.Run("a field is told before and after", func(t *testing.T) {
		changes, _, err := diff(directorytest.View(t, had).Snapshot(), listed(func(o *dir.Office) { o.Hours, o.Note = "", "Fermé en août" }), "2024-08-01")
		if err != nil {
			t.Fatal(err)
		}
		want := []FieldChange{
			{Field: "hours", Before: []byte(`"Mo 09:00-12:00; PH off"`), After: []byte("null")},
			{Field: "note", Before: []byte("null"), After: []byte(`"Fermé en août"`)},
		}
		if diff := cmp.Diff(want, changes[0].Fields); diff != "" {
			t.Errorf("fields (-want +got):\n%s", diff)
		}
	})
	t.Run("every kind belongs to a field that offices have", func(t *testing.T) {
		o := had
		o.Address2, o.Postcode, o.InseeCommune, o.Commune, o.Department, o.DepartmentName = "x", "x", "x", "x", "x", "x"
		o.Region, o.EPCI, o.ConditionalDays, o.FormatSource, o.Group = "x", "x", []string{"Mo"}, "x", "x"
		fields, err := fieldsOf(o)
		if err != nil {
			t.Fatal(err)
		}
		for name := range kindOf {
			if _, ok := fields[name]; !ok {
				t.Errorf("no office has a field %q", name)
			}
		}
	})
}

func TestAProvisionalIDIsNotGivenToAnotherOffice(t *testing.T) {
	had := dir.Office{ID: "fs-temp_3", Name: "Un", InseeCommune: "23096"}
	for _, test := range []struct {
		name   string
		listed dir.Office
		want   bool
	}{
		{"a new name in the same commune is the same office", dir.Office{ID: "fs-temp_3", Name: "Une", InseeCommune: "23096"}, false},
		{"the same name in another commune is the same office", dir.Office{ID: "fs-temp_3", Name: "Un", InseeCommune: "87085"}, false},
		{"another name in another commune is another office", dir.Office{ID: "fs-temp_3", Name: "Deux", InseeCommune: "87085"}, true},
		{"a lasting id is the list's own affair", dir.Office{ID: "fs-3", Name: "Deux", InseeCommune: "87085"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := reused(had, test.listed); got != test.want {
				t.Errorf("reused is %v", got)
			}
		})
	}
	t.Run("and the import says so by line", func(t *testing.T) {
		file := listOf("temp_3,Deux,87085", "4,Quatre,23096", "5,Cinq,23096")
		p, err := makePlan(directorytest.View(t, had).Snapshot(), file, "2024-08-01")
		if err != nil {
			t.Fatal(err)
		}
		if len(p.List.Rejected) != 1 || p.List.Rejected[0].Code != "id_reused" || p.List.Rejected[0].Line != 2 || p.Offices != 2 {
			t.Errorf("rejected %+v, %d offices", p.List.Rejected, p.Offices)
		}
		if diff := cmp.Diff(map[ChangeKind]int{ChangeNew: 2, ChangeGone: 1}, p.Counts); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
	})
}

// listOf is an official list of offices given as id, name and commune.
func listOf(offices ...string) []byte {
	var b strings.Builder
	b.WriteString("id_fs,lib_fs,insee_com,insee_dep,code_postal,lib_com,adresse,latitude,longitude,telephone,h_lundi,h_mardi,h_mercredi,h_jeudi,h_vendredi,h_samedi,format_fs\n")
	for _, o := range offices {
		b.WriteString(o + ",,,,,,,,09:00 - 12:00,,,,,,Fixe\n")
	}
	return []byte(b.String())
}
