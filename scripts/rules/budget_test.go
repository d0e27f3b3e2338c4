package rules

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
)

// The most lines of Go without tests that a folder may have, so that the
// repository stays in proportion. A folder below it with a row of its own is not
// counted.
var budgets = map[string]int{
	"core":            2250,
	"core/accesstest": 2900,
	"stdaccess":       140,
	"ginaccess":       140,
	"echoaccess":      140,
	"echo5access":     140,
	"fiberaccess":     170,
	"fiber3access":    170,
	"otelaccess":      200,
	"caddyaccess":     180,
	"cmd/cfaccess":    2000,
	"examples":        700,
	"scripts":         2400,
}

func TestBudgets(t *testing.T) {
	lines := map[string]int{}
	for _, path := range files(t, ".go") {
		if path == "core/identity.go" {
			budgets["core"] = 2800
		}
		if !strings.HasSuffix(path, "_test.go") {
			lines[row(budgets, path)] += bytes.Count(read(t, path), []byte("\n"))
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(budgets)) {
		if lines[folder] > budgets[folder] {
			t.Errorf("%s has %d lines of Go without tests, its budget is %d", folder, lines[folder], budgets[folder])
		}
	}
	for folder := range modules(t) {
		if budgets[folder] == 0 {
			t.Errorf("%s has no budget", folder)
		}
	}
}

// row returns the longest folder of a table that the file at path is in, or "".
func row[V any](table map[string]V, path string) (longest string) {
	for folder := range table {
		if strings.HasPrefix(path, folder+"/") && len(folder) > len(longest) {
			longest = folder
		}
	}
	return longest
}
