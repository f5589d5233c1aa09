package territory

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
)

func load(t testing.TB) *Atlas {
	t.Helper()
	a, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAtlas(t *testing.T) {
	a := load(t)
	t.Run("a commune has its grouping, its people and its postcodes", func(t *testing.T) {
		got, ok := a.Commune("01004")
		want := Commune{Code: "01004", Name: "Ambérieu-en-Bugey", Status: Current, EPCI: "240100883", Population: 15934, postcodes: "01500"}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Commune{})); diff != "" || !ok {
			t.Errorf("Commune (-want +got), ok %v:\n%s", ok, diff)
		}
	})
	t.Run("a merged commune names its parent, which may lie in another department", func(t *testing.T) {
		c, _ := a.Commune("79224")
		if !c.Merged() || DepartmentOf(c.Code) != "79" || DepartmentOf(c.Parent) != "49" {
			t.Errorf("%+v", c)
		}
	})
	t.Run("every commune's parent, grouping, department and region exist", func(t *testing.T) {
		for _, c := range a.communes {
			if c.Parent != "" && a.communes[c.Parent].Status != Current {
				t.Errorf("%s has the parent %q, which is no current commune", c.Code, c.Parent)
			}
			if _, ok := a.EPCI(c.EPCI); c.EPCI != "" && !ok {
				t.Errorf("%s is in %q, which is no grouping", c.Code, c.EPCI)
			}
			d, ok := a.Department(DepartmentOf(c.Code))
			if _, known := a.Region(d.Region); !ok || !known {
				t.Errorf("%s is in %+v", c.Code, d)
			}
		}
	})
	t.Run("every zone's time zone and holidays are known", func(t *testing.T) {
		h, err := LoadHolidays()
		if err != nil {
			t.Fatal(err)
		}
		for code := range a.departments {
			if _, err := time.LoadLocation(TimeZone(code)); err != nil {
				t.Errorf("%s: %v", code, err)
			}
			if _, ok := h.names[HolidayZone(code)]; !ok {
				t.Errorf("%s: no holidays of %s", code, HolidayZone(code))
			}
		}
	})
}

func TestHolidays(t *testing.T) {
	h, err := LoadHolidays()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, zone, day, want string
	}{
		{"Saint Stephen's day in Strasbourg", "alsace-moselle", "2024-12-26", "Saint-Étienne"},
		{"not in Paris", Metropole, "2024-12-26", ""},
		{"the abolition of slavery on Mayotte", "mayotte", "2024-04-27", "Abolition de l'esclavage"},
		{"an unknown zone keeps the mainland's", "atlantis", "2024-07-14", "Fête nationale"},
	} {
		t.Run(test.name, func(t *testing.T) {
			day, err := schemas.ParseDay(test.day)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := h.On(test.zone, day)
			if got != test.want || ok != (test.want != "") {
				t.Errorf("%q, %v, want %q", got, ok, test.want)
			}
		})
	}
	first, last := h.Span()
	if first.String() != "2020-01-01" || last.String() != "2035-12-26" {
		t.Errorf("from %s to %s", first, last)
	}
}

func TestTheTablesCarryTheirLicence(t *testing.T) {
	if !strings.Contains(Licence(), "Licence Ouverte") {
		t.Error("no licence notice")
	}
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		load(b)
	}
}
