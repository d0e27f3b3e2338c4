package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A report is all that one run has found.
type report struct {
	Command string
	Quick   bool
	Machine machine
	Size    size
	Took    time.Duration

	Cases     []result
	Parallel  []scaling
	HTTP      []served
	Footprint footprint
	Crowds    []crowd
}

// cost returns what a case costs a contender: NaN where it wasn't measured.
func (r *report) cost(name, contender string) figure {
	for _, result := range r.Cases {
		if result.Case != name {
			continue
		}
		for _, f := range result.Figures {
			if f.Name == contender {
				return f
			}
		}
	}
	return figure{contender, math.NaN(), math.NaN(), math.NaN()}
}

// ratio returns how many times as long one contender takes as the other.
func (r *report) ratio(name, contender, other string) float64 {
	return r.cost(name, contender).NS / r.cost(name, other).NS
}

// headline is what a reader should take away: ratios, since times are the
// machine's.
func (r *report) headline() string {
	return fmt.Sprintf("The next request of a session is verified %s × faster than by go-oidc, at %.1f × the cost of a map look-up. "+
		"Its first request takes %.2f × as long as with golang-jwt + keyfunc, and %.2f × a bare RSA verification.",
		digits(r.ratio(caseRepeated, nameOIDC, nameOurs)), r.ratio(caseRepeated, nameOurs, nameMap),
		r.ratio(caseFirstTime, nameOurs, nameGolangJWT), r.ratio(caseFirstTime, nameOurs, nameRSA))
}

// publish prints the report, and writes it and the chart into directory.
func publish(r *report, directory string, stdout, stderr io.Writer) error {
	for _, s := range sections(r) {
		fmt.Fprintf(stdout, "\n== %s\n", s.Title)
		if s.Text != "" {
			fmt.Fprintf(stdout, "%s\n", s.Text)
		}
		if s.Table != nil {
			fmt.Fprintf(stdout, "\n%s", s.Table.Terminal())
		}
	}
	if err := os.WriteFile(filepath.Join(directory, "results.md"), []byte(markdown(r)), 0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	chart, err := drawChart(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(directory, "results.svg"), chart, 0o644); err != nil {
		return fmt.Errorf("writing the chart: %w", err)
	}
	fmt.Fprintf(stderr, "\nresults.md and results.svg are in %s\n", directory)
	return nil
}

// markdown returns results.md.
func markdown(r *report) string {
	var b strings.Builder
	b.WriteString("# Results\n\n")
	fmt.Fprintf(&b, "Written by `%s`; changes by hand are lost.\n\n%s\n\n![%s](results.svg)\n", r.Command, r.headline(), chartTitle(r))
	for _, s := range sections(r) {
		fmt.Fprintf(&b, "\n## %s\n", s.Title)
		if s.Text != "" {
			fmt.Fprintf(&b, "\n%s\n", s.Text)
		}
		if s.Table != nil {
			fmt.Fprintf(&b, "\n%s", s.Table.Markdown())
		}
	}
	return b.String()
}
