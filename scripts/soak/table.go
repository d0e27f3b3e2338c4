package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A table is printed on a terminal or written as Markdown. The first column is
// text; the others are numbers, unless the table is Wordy.
type table struct {
	Head  []string
	Rows  [][]string
	Wordy bool
}

func (t *table) add(cells ...string) { t.Rows = append(t.Rows, cells) }

// terminal returns the table with its columns aligned.
func (t *table) terminal() string {
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
			if i == 0 || t.Wordy {
				line.WriteString(cell + padding)
			} else {
				line.WriteString(padding + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// markdown returns the table as GitHub reads it.
func (t *table) markdown() string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.Head)
	rules := make([]string, len(t.Head))
	for i := range rules {
		rules[i] = "---:"
		if i == 0 || t.Wordy {
			rules[i] = "---"
		}
	}
	line(rules)
	for _, row := range t.Rows {
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
