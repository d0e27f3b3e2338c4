package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A table is printed on a terminal or written as Markdown. Cells of digits are
// aligned to the right.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func isNumber(cell string) bool { return strings.Trim(cell, "0123456789,") == "" }

// terminal returns the table with its columns aligned.
func (t *table) terminal() string {
	widths := make([]int, len(t.head))
	rows := append([][]string{t.head}, t.rows...)
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if isNumber(cell) {
				cell = padding + cell
			} else {
				cell += padding
			}
			line.WriteString(cell + "   ")
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// markdown returns the table as GitHub reads it.
func (t *table) markdown() string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.head)
	rules := make([]string, len(t.head))
	for i := range rules {
		rules[i] = "---"
		if len(t.rows) > 0 && isNumber(t.rows[0][i]) {
			rules[i] = "---:"
		}
	}
	line(rules)
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}

// thousands returns n with a comma after each three digits. n is not negative.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
