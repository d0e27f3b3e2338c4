// Package table prints what a program has measured: for a terminal, and for
// GitHub.
package table

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Table is printed on a terminal or written as Markdown.
type Table struct {
	Head []string
	Rows [][]string
	// Text are the columns that are text, the first one apart, which always
	// is. The others are numbers.
	Text []int
}

// Add adds a row, with a cell for each column.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Terminal returns the table with its columns aligned.
func (t *Table) Terminal() string {
	widths := make([]int, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		var line strings.Builder
		for i, cell := range row {
			// Not fmt's padding, which counts the bytes of some verbs' operands.
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				line.WriteString("   ")
			}
			if t.isText(i) {
				line.WriteString(cell + padding)
			} else {
				line.WriteString(padding + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

func (t *Table) isText(column int) bool { return column == 0 || slices.Contains(t.Text, column) }

// Markdown returns the table as GitHub reads it.
func (t *Table) Markdown() string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.Head)
	rules := make([]string, len(t.Head))
	for i := range rules {
		rules[i] = "---:"
		if t.isText(i) {
			rules[i] = "---"
		}
	}
	line(rules)
	for _, row := range t.Rows {
		line(row)
	}
	return b.String()
}

// Thousands returns n with a comma after each three digits. n is not negative.
func Thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", Thousands(n/1000), n%1000)
}
