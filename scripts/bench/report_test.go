package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fixedReport is a report in which every target is met.
func fixedReport() *report {
	valid := []figure{
		{nameOurs, 100, 0, 0}, {nameGolangJWT, 40_000, 95, 6000}, {nameOIDC, 50_000, 136, 12_000},
		{nameJWX, 60_000, 342, 22_000}, {nameAuth0, 55_000, 149, 12_000}, {nameMap, 40, 0, 0}, {nameRSA, 25_000, 9, 1376},
	}
	first := append([]figure{{nameOurs, 30_000, 60, 5000}}, valid[1:]...)
	refused := []figure{{nameOurs, 1000, 10, 500}}
	r := &report{
		Command: "./scripts/bench.sh", Machine: thisMachine(), Size: fullSize(), Took: 4 * time.Minute,
		Cases:     []result{{caseRepeated, valid}, {caseFirstTime, first}},
		Parallel:  []scaling{{nameOurs, figure{NS: 100}, figure{NS: 60}}},
		Footprint: footprint{Remembered: 8192, Full: 2000, More: 100_000, After: 2010},
		Crowds:    []crowd{{"scan", 100_000, 100_000, 0.01, 0.08, 30_000, 50_000}},
	}
	for _, name := range []string{caseUnknownKid, caseGarbage, caseHeader, casePayload} {
		r.Cases = append(r.Cases, result{name, refused})
	}
	for _, framework := range frameworks {
		r.HTTP = append(r.HTTP, served{Framework: framework, Ratio: 0.97, Ratios: []float64{0.97}})
	}
	return r
}

func TestTargets(t *testing.T) {
	for _, target := range targets(fixedReport()) {
		if !target.Met {
			t.Errorf("missed: %+v", target)
		}
	}
	// What was never measured is not met.
	for _, target := range targets(&report{}) {
		if target.Met {
			t.Errorf("met without a figure: %+v", target)
		}
	}
}

func TestVerdict(t *testing.T) {
	aim := atMost("", 2, 1, "%.0f")
	aim.Aim = true
	for name, test := range map[string]struct {
		target target
		want   string
	}{
		"at least, just":  {atLeast("", 400, 400, "%.0f"), "met"},
		"at least, below": {atLeast("", 399.9, 400, "%.0f"), "MISSED"},
		"at most, just":   {atMost("", 5, 5, "%.0f"), "met"},
		"at most, above":  {atMost("", 5.01, 5, "%.0f"), "MISSED"},
		"an aim":          {aim, "aim missed"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.target.verdict(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestMissedTargetsAreCounted(t *testing.T) {
	r := fixedReport()
	if got := targetSection(r).Text; got != "All 20 are met." {
		t.Errorf("got %q", got)
	}
	r.HTTP[0].Ratio = 0.9
	if got := targetSection(r).Text; got != "1 of 20 is missed." {
		t.Errorf("got %q", got)
	}
}

func TestPublish(t *testing.T) {
	directory := t.TempDir()
	var terminal strings.Builder
	if err := publish(fixedReport(), directory, &terminal, io.Discard); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(directory, "results.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"500 ×", "map look-up", "fiber: protected over bare", "./scripts/bench.sh"} {
		if !strings.Contains(terminal.String(), want) || !strings.Contains(string(page), want) {
			t.Errorf("%q is not on both terminal and page", want)
		}
	}
	if _, err := os.Stat(filepath.Join(directory, "results.svg")); err != nil {
		t.Error(err)
	}
}

func TestChart(t *testing.T) {
	svg, err := drawChart(fixedReport())
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	decoder := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := token.(xml.CharData); ok {
			texts = append(texts, strings.TrimSpace(string(data)))
		}
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{
		"verified 500 × faster than by go-oidc", "100 ns, repeated token", "30.0 µs, first-time token",
		"40.0 ns, map look-up", "25.0 µs, RSA-2048 verify", "50.0 µs, 500 ×", "golang-jwt + keyfunc", "1 ms",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("the chart doesn't say %q", want)
		}
	}

	r := fixedReport()
	r.Cases = r.Cases[1:]
	if _, err := drawChart(r); err == nil {
		t.Error("a chart without figures")
	}
}

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		duration(0.5): "0.50 ns", duration(57.04): "57.0 ns", duration(999.4): "999 ns", duration(999.6): "1.00 µs",
		duration(65_120): "65.1 µs", duration(999_600): "1.00 ms", duration(2.5e9): "2,500 ms",
		digits(9.994): "9.99", digits(9.996): "10.0", digits(99.94): "99.9", digits(99.96): "100", digits(1462.2): "1,462",
		percent(0.8123): "81.2 %",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
