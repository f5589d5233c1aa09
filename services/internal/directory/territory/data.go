package territory

import (
	"bufio"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"strings"
)

// The tables are made from the official files by pack.go; the shared data folder
// stands beside the project's.
//
//go:generate go run pack.go -from ../../../../../shared/data/reference -to data

//go:embed data/*.tsv.gz data/LICENCE.md
var data embed.FS

// Licence is the notice that goes with the tables.
func Licence() string {
	notice, err := data.ReadFile("data/LICENCE.md")
	if err != nil {
		panic(err) // compiled in
	}
	return string(notice)
}

// readTable calls row for each line of a compiled-in table, in order.
func readTable(name string, row func(cells []string) error) error {
	f, err := data.Open("data/" + name + ".tsv.gz")
	if err != nil {
		return fmt.Errorf("table %s: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("table %s: %w", name, err)
	}
	// One string for the whole table: its cells are parts of it, which takes a
	// fifth of the allocations that a string each would.
	var whole strings.Builder
	if _, err := io.Copy(&whole, bufio.NewReader(z)); err != nil {
		return fmt.Errorf("table %s: %w", name, err)
	}
	for line := range strings.Lines(whole.String()) {
		if err := row(strings.Split(strings.TrimSuffix(line, "\n"), "\t")); err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
	}
	return nil
}
