package main

import (
	"fmt"

	"github.com/cfaccess/cfaccess/scripts/table"
)

// duration returns nanoseconds with three digits, in the unit that suits them.
func duration(ns float64) string {
	unit := "ns"
	switch {
	case ns >= 999.5e3:
		ns, unit = ns/1e6, "ms"
	case ns >= 999.5:
		ns, unit = ns/1e3, "µs"
	}
	return digits(ns) + " " + unit
}

// digits returns x with three digits, or all of those before the point.
func digits(x float64) string {
	switch {
	case x >= 999.5:
		return table.Thousands(int(x + 0.5))
	case x >= 99.95:
		return fmt.Sprintf("%.0f", x)
	case x >= 9.995:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.2f", x)
	}
}
