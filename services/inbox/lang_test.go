package inbox

import (
	"encoding/csv"
	"os"
	"testing"
	"time"
)

func TestDaysAreWrittenAsPeopleDo(t *testing.T) {
	first := time.Date(2026, time.November, 1, 9, 5, 0, 0, time.UTC)
	for want, got := range map[string]string{
		"dim. 1er nov. 2026":           french.Date(first),
		"dimanche 1er novembre 2026":   french.LongDate(first),
		"sam. 14 nov. 2026":            french.Date(first.AddDate(0, 0, 13)),
		"dim. 1er nov. 2026 à 09 h 05": french.Moment(first),
		"Sun 1 November 2026, 09:05":   english.Moment(first),
		"Sunday 1 November 2026":       english.LongDate(first),
		"mercredi 5 août 2026":         french.LongDate(time.Date(2026, time.August, 5, 0, 0, 0, 0, time.UTC)),
		"02 61 91 01 01":               french.Phone("+33261910101"),
		"02 62 99 00 40":               french.Phone("+262262990040"),
		"+687123456":                   french.Phone("+687123456"),
		"":                             french.Phone(""),
		"Impôts, argent":               french.ServiceTheme("impots-argent"),
		"Taxes, money":                 english.ServiceTheme("impots-argent"),
		"Un theme nouveau":             french.ServiceTheme("un-theme-nouveau"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestEveryThemeOfTheBasketHasALabel reads the basket that the directory brings.
func TestEveryThemeOfTheBasketHasALabel(t *testing.T) {
	file, err := os.Open("../directory/data/services.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		if label := serviceThemes[row[1]]; label.fr == "" || label.en == "" {
			t.Errorf("theme %s of %s has no label", row[1], row[0])
		}
	}
}
