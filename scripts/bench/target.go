package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/cfaccess/cfaccess/scripts/table"
)

// A target is what one figure has to be. An aim is a target that may be missed.
type target struct {
	What   string
	Want   string
	Figure string
	Met    bool
	Aim    bool
}

// verdict says it in a word or two.
func (t target) verdict() string {
	switch {
	case t.Met:
		return "met"
	case t.Aim:
		return "aim missed"
	default:
		return "MISSED"
	}
}

// targets holds the figures of a report against what was asked of them. What
// was not measured is missed: NaN is neither more nor less than any bound.
func targets(r *report) []target {
	list := []target{
		atLeast("repeated token: times faster than go-oidc", r.ratio(caseRepeated, nameOIDC, nameOurs), 400, "%.0f ×"),
		atMost("repeated token: map look-ups", r.ratio(caseRepeated, nameOurs, nameMap), 4, "%.2f ×"),
		atMost("repeated token: allocations", r.cost(caseRepeated, nameOurs).Allocs, 0, "%.0f"),
	}
	for _, s := range r.Parallel {
		if s.Name == nameOurs {
			t := atMost("repeated token: ns/op on 2 procs over 1", s.ratio(), 0.65, "%.2f")
			t.Figure += floorsOf(r.Parallel)
			list = append(list, t)
		}
	}
	aim := atMost("first-time token: RSA verifications", r.ratio(caseFirstTime, nameOurs, nameRSA), 1.25, "%.2f ×")
	aim.Aim = true
	list = append(list,
		atMost("first-time token: of golang-jwt + keyfunc", r.ratio(caseFirstTime, nameOurs, nameGolangJWT), 0.95, "%.2f ×"),
		aim)
	for _, name := range []string{caseUnknownKid, caseGarbage, caseHeader, casePayload} {
		f := r.cost(name, nameOurs)
		list = append(list,
			atMost(name+": time", f.NS/1000, 5, "%.2f µs"),
			atMost(name+": allocations", f.Allocs, 10, "%.0f"))
	}
	bytes := math.NaN()
	if r.Footprint.Remembered > 0 {
		bytes = max(r.Footprint.Full, r.Footprint.After)
	}
	list = append(list,
		atMost("memory: a remembered token", bytes/1024, 3, "%.2f KiB"),
		// Flat, but for what the runtime itself does between two looks.
		atMost(fmt.Sprintf("memory: after %s more tokens", table.Thousands(r.Footprint.More)), r.Footprint.growth(), 1.05, "%.2f ×"))
	for _, s := range r.HTTP {
		list = append(list, atLeast(s.Framework+": protected over bare, requests a second", s.Ratio, 0.95, "%.3f"))
	}
	return list
}

// floorsOf says how the floors scale. They share nothing between cores: where
// they don't come near 0.5 either, something else had the second core.
func floorsOf(scalings []scaling) string {
	var floors []string
	for _, s := range scalings {
		if s.Name != nameOurs {
			floors = append(floors, fmt.Sprintf("%s %.2f", s.Name, s.ratio()))
		}
	}
	if len(floors) == 0 {
		return ""
	}
	return " (" + strings.Join(floors, ", ") + ")"
}

func atLeast(what string, figure, bound float64, format string) target {
	return target{
		What: what, Want: "≥ " + fmt.Sprintf(format, bound), Figure: fmt.Sprintf(format, figure),
		Met: figure >= bound,
	}
}

func atMost(what string, figure, bound float64, format string) target {
	return target{
		What: what, Want: "≤ " + fmt.Sprintf(format, bound), Figure: fmt.Sprintf(format, figure),
		Met: figure <= bound,
	}
}
