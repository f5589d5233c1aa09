package territory_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/services/internal/directory/directorytest"
	"github.com/relais-fr/relais/services/internal/directory/territory"
)

func TestTheCompiledInTablesAreTheOfficialOnes(t *testing.T) {
	for table, source := range map[string]struct {
		file    string
		columns []int
	}{
		"communes":     {"communes.csv", []int{0, 1, 2, 3, 7, 8, 9}},
		"departements": {"departements.csv", []int{0, 1, 2}},
		"regions":      {"regions.csv", []int{0, 1}},
		"epci":         {"epci.csv", []int{0, 1}},
		"holidays":     {"jours_feries_2020-2035.csv", []int{1, 0, 2}},
	} {
		t.Run(table, func(t *testing.T) {
			file, err := os.ReadFile(directorytest.SharedData(t, "reference", source.file))
			if err != nil {
				t.Fatal(err)
			}
			rows, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			var want, got []string
			for _, row := range rows[1:] {
				var cells []string
				for _, i := range source.columns {
					cells = append(cells, row[i])
				}
				want = append(want, strings.Join(cells, "\t"))
			}
			if err := territory.ReadTable(table, func(cells []string) error {
				got = append(got, strings.Join(cells, "\t"))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the table is not the official one; run go generate (-official +compiled in):\n%s", diff)
			}
		})
	}
}
