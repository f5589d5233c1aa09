package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// printer writes what people read. It remembers the first error, so that a
// command that could not write its answer does not end well.
type printer struct {
	w   io.Writer
	err error
}

// Write writes unless a write before has failed.
func (p *printer) Write(b []byte) (n int, err error) {
	if p.err == nil {
		n, p.err = p.w.Write(b)
	}
	return n, p.err
}

func (p *printer) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p, format, args...) // p keeps the error
}

// table prints in columns, which rows divides by tabs.
func (p *printer) table(rows func(row *printer)) {
	t := tabwriter.NewWriter(p, 0, 0, 2, ' ', 0)
	rows(&printer{w: t})
	_ = t.Flush() // p keeps the error
}
