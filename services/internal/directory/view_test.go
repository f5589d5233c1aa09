package directory

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func recordOf(t testing.TB, r interface{ Record() (Record, error) }) Record {
	t.Helper()
	rec, err := r.Record()
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func sample(t testing.TB) []Record {
	t.Helper()
	return []Record{
		recordOf(t, Participant{ID: "cnaf", Name: "Allocations familiales", Role: RoleOperator}),
		recordOf(t, Participant{ID: "ants", Name: "France Titres", Role: RoleOperator}),
		recordOf(t, Participant{ID: "hub", Name: "Relais", Role: RoleHub}),
		recordOf(t, Participant{ID: "feeder", Name: "Reprise", Role: RoleFeeder, Feeds: []string{"fs-2"}}),
		recordOf(t, Office{ID: "fs-1", Matricule: 1, Name: "France services de Valserhône", Commune: "Valserhône", Postcode: "01200", Department: "01", DepartmentName: "Ain", TimeZone: "Europe/Paris"}),
		recordOf(t, Office{ID: "fs-2", Matricule: 2, Name: "Espace Sœur-Rosalie", Commune: "Saint-Étienne", Postcode: "42000", Department: "42", DepartmentName: "Loire"}),
		recordOf(t, Office{ID: "fs-42", Matricule: 42, Name: "Bus du Forez", Commune: "Montbrison", Postcode: "42600", Department: "42", DepartmentName: "Loire"}),
		recordOf(t, Office{ID: "fs-420", Matricule: 420, Name: "Bus de Saint-Étienne", Commune: "Firminy", Postcode: "42700", Department: "42", DepartmentName: "Loire", ClosedOn: "2024-08-01"}),
		recordOf(t, Service{Code: "logement/apl", Theme: "logement", Label: "APL", Operators: []string{"cnaf"}}),
		recordOf(t, Service{Code: "papiers/cni", Theme: "papiers", Label: "CNI", Operators: []string{"ants"}, Outside: []string{"mairie"}}),
		recordOf(t, Setting{Name: SettingPartitions, Value: "12"}),
	}
}

func viewOf(t testing.TB, records ...Record) *View {
	t.Helper()
	v, err := NewViewOf(records...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestView(t *testing.T) {
	t.Run("an office answers as a participant with its role and territory", func(t *testing.T) {
		p, ok := viewOf(t, sample(t)...).Participant("fs-1")
		want := Participant{ID: "fs-1", Name: "France services de Valserhône", Role: RoleOffice, Territory: "01", TimeZone: "Europe/Paris"}
		if diff := cmp.Diff(want, p); diff != "" || !ok {
			t.Errorf("Participant (-want +got), ok %v:\n%s", ok, diff)
		}
	})
	t.Run("operators and services come in order of id and code", func(t *testing.T) {
		v := viewOf(t, sample(t)...)
		var got []string
		for _, p := range v.Operators() {
			got = append(got, p.ID)
			for _, s := range v.ServicesOf(p.ID) {
				got = append(got, s.Code)
			}
		}
		if diff := cmp.Diff([]string{"ants", "papiers/cni", "cnaf", "logement/apl"}, got); diff != "" {
			t.Errorf("operators and services (-want +got):\n%s", diff)
		}
	})
	t.Run("a null value takes the record away and a new one replaces it", func(t *testing.T) {
		v := viewOf(t, sample(t)...)
		err := v.Apply(
			Record{Key: ParticipantKey("ants")},
			Record{Key: OfficeKey("fs-1")},
			recordOf(t, Office{ID: "fs-2", Name: "Nouveau nom"}),
			recordOf(t, Setting{Name: SettingPartitions, Value: "24"}),
		)
		if err != nil {
			t.Fatal(err)
		}
		_, ants := v.Participant("ants")
		_, gone := v.Participant("fs-1")
		office, _ := v.Office("fs-2")
		n, _ := v.Setting(SettingPartitions)
		if ants || gone || office.Name != "Nouveau nom" || n != "24" {
			t.Errorf("ants %v, fs-1 %v, fs-2 %q, partitions %q", ants, gone, office.Name, n)
		}
	})
	t.Run("a record that cannot be read is named and leaves the key and the others as they are", func(t *testing.T) {
		v := viewOf(t, sample(t)...)
		err := v.Apply(
			Record{Key: OfficeKey("fs-1"), Value: []byte("{")},
			Record{Key: OfficeKey("fs-2"), Value: []byte(`{"id":"fs-3"}`)},
			Record{Key: OfficeKey("fs-3"), Value: []byte(`{"id":"fs-3","name":"n","later":1}`)},
			Record{Key: "agreement/1", Value: []byte(`{}`)},
		)
		if err == nil || !strings.Contains(err.Error(), "office/fs-1") || !strings.Contains(err.Error(), `names itself "fs-3"`) || strings.Contains(err.Error(), "agreement") {
			t.Errorf("error %v does not name the two bad records alone", err)
		}
		one, _ := v.Office("fs-1")
		three, _ := v.Office("fs-3")
		if one.Name == "" || three.Name != "n" {
			t.Errorf("fs-1 %q, fs-3 %q", one.Name, three.Name)
		}
	})
	t.Run("a snapshot does not change and a watcher is told once per change", func(t *testing.T) {
		v := viewOf(t, sample(t)...)
		before := v.Snapshot()
		version, changed := v.Watch()
		if err := v.Apply(Record{Key: OfficeKey("fs-1")}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
		default:
			t.Error("the watcher was not told")
		}
		if v.Version() != version+1 {
			t.Errorf("version %d, want %d", v.Version(), version+1)
		}
		if _, ok := before.Office("fs-1"); !ok {
			t.Error("the snapshot taken before lost an office")
		}
	})
	t.Run("looking up while records come in is safe", func(t *testing.T) {
		v := viewOf(t, sample(t)...)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 200 {
					if _, ok := v.Participant("cnaf"); !ok {
						t.Error("cnaf is gone")
					}
					v.Search("loire", 3)
				}
			})
		}
		for range 50 {
			if err := v.Apply(recordOf(t, Office{ID: "fs-9", Name: "x"})); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
	})
}

func TestMayFeed(t *testing.T) {
	some := Participant{ID: "feeder", Role: RoleFeeder, Feeds: []string{"fs-2"}}
	all := Participant{ID: "feeder", Role: RoleFeeder, Feeds: []string{"*"}}
	operator := Participant{ID: "cnaf", Role: RoleOperator, Feeds: []string{"*"}}
	if !some.MayFeed("fs-2") || some.MayFeed("fs-1") || !all.MayFeed("fs-1") || operator.MayFeed("fs-1") {
		t.Error("a feeder may feed the offices named, and nobody else may")
	}
}

func TestSearch(t *testing.T) {
	v := viewOf(t, sample(t)...)
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"a commune without its accents and hyphen", "saint etienne", []string{"fs-2", "fs-420"}},
		{"a name with a ligature, by its letters", "soeur rosalie", []string{"fs-2"}},
		{"the beginning of a word", "valser", []string{"fs-1"}},
		{"a postcode", "42600", []string{"fs-42"}},
		{"the name of a department, its closed office last", "Loire", []string{"fs-2", "fs-42", "fs-420"}},
		{"an id, before whatever else has its words", "fs-42", []string{"fs-42", "fs-2", "fs-420"}},
		{"a bare number finds that office before the department", "42", []string{"fs-42", "fs-2", "fs-420"}},
		{"words in any order", "forez BUS", []string{"fs-42"}},
		{"a word that is nowhere", "forez autobus", nil},
		{"nothing", "  - ", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, o := range v.Search(test.text, 10) {
				got = append(got, o.ID)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Search(%q) (-want +got):\n%s", test.text, diff)
			}
		})
	}
	t.Run("no more than asked for", func(t *testing.T) {
		if got := v.Search("loire", 1); len(got) != 1 {
			t.Errorf("%d offices", len(got))
		}
	})
}

func FuzzFold(f *testing.F) {
	f.Add("Saint-Étienne")
	f.Add("Cœur d’Ÿ\xff")
	f.Add("\xf1Ċ")
	f.Fuzz(func(t *testing.T, s string) {
		once := Fold(s)
		if twice := Fold(once); twice != once {
			t.Errorf("folded again, %q becomes %q", once, twice)
		}
	})
}

func country(b *testing.B) *View {
	b.Helper()
	var records []Record
	for i := range 2845 {
		records = append(records, recordOf(b, Office{
			ID: fmt.Sprintf("fs-%d", i), Matricule: i, Name: fmt.Sprintf("France services de la commune %d", i),
			Commune: fmt.Sprintf("Commune-sur-Rivière %d", i), Postcode: fmt.Sprintf("%05d", i*7), DepartmentName: "Haute-Vienne",
		}))
	}
	return viewOf(b, records...)
}

func BenchmarkParticipant(b *testing.B) {
	v := country(b)
	b.ReportAllocs()
	for b.Loop() {
		v.Participant("fs-563")
	}
}

func BenchmarkSearch(b *testing.B) {
	v := country(b)
	b.ReportAllocs()
	for b.Loop() {
		v.Search("france riviere 1956", 10)
	}
}

func BenchmarkChange(b *testing.B) {
	v := country(b)
	change := recordOf(b, Office{ID: "fs-563", Name: "x"})
	b.ReportAllocs()
	for b.Loop() {
		if err := v.Apply(change); err != nil {
			b.Fatal(err)
		}
	}
}
