//go:build ignore

// Pack makes the compiled-in tables from the official files: the columns that
// the hub uses, tab-separated, compressed. The same input gives the same bytes.
//
//	go run pack.go -from <folder with the CSV files> -to data
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// tables are the files made, from which source and of which columns.
var tables = []struct {
	name, source string
	columns      []string
}{
	{"communes", "communes.csv", []string{"code", "name", "type", "parent", "epci", "population", "postcodes"}},
	{"departements", "departements.csv", []string{"code", "name", "region"}},
	{"regions", "regions.csv", []string{"code", "name"}},
	{"epci", "epci.csv", []string{"code", "name"}},
	{"holidays", "jours_feries_2020-2035.csv", []string{"zone", "date", "name"}},
}

func main() {
	from := flag.String("from", "", "folder of the official CSV files")
	to := flag.String("to", "data", "folder of the compiled-in tables")
	flag.Parse()
	for _, t := range tables {
		packed, err := pack(filepath.Join(*from, t.source), t.columns)
		if err != nil {
			log.Fatalf("pack %s: %v", t.source, err)
		}
		if err := os.WriteFile(filepath.Join(*to, t.name+".tsv.gz"), packed, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

func pack(source string, columns []string) ([]byte, error) {
	f, err := os.Open(source)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	var at []int
	for _, column := range columns {
		i := slices.Index(rows[0], column)
		if i < 0 {
			return nil, fmt.Errorf("column %s is missing", column)
		}
		at = append(at, i)
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	for _, row := range rows[1:] {
		var cells []string
		for _, i := range at {
			if strings.ContainsAny(row[i], "\t\n") {
				return nil, fmt.Errorf("a tab or line break in %q", row[i])
			}
			cells = append(cells, row[i])
		}
		fmt.Fprintln(z, strings.Join(cells, "\t"))
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
