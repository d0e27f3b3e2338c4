package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// A row is a situation that was played.
type row struct {
	name  string
	want  string
	got   string
	holds bool
}

// printTable prints the rows and returns an error unless all of them hold.
func printTable(w io.Writer, rows []row) error {
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "situation\texpected\tgot\t")
	failed := 0
	for _, r := range rows {
		mark := "✓"
		if !r.holds {
			mark = "✗"
			failed++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.name, r.want, r.got, mark)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("printing the table: %w", err)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d situations did not go as expected", failed, len(rows))
	}
	_, err := fmt.Fprintf(w, "\nAll %d situations went as expected.\n", len(rows))
	return err
}
