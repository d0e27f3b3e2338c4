package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cfaccess/cfaccess/scripts/table"
)

// screenful is how many lines of offences are told at most.
const screenful = 30

// print writes the report for a terminal.
func (r *report) print(w io.Writer) {
	for _, s := range r.sections() {
		fmt.Fprintf(w, "\n== %s\n%s\n\n%s", s.title, s.text, s.table.Terminal())
	}
	if !r.failed() {
		return
	}
	fmt.Fprintf(w, "\n== Offenders, seed %d\n", r.options.seed)
	var lines []string
	for _, o := range r.offences.told() {
		lines = append(lines, strings.Split(strings.TrimSpace(o.String()), "\n")...)
	}
	for _, line := range lines[:min(len(lines), screenful)] {
		fmt.Fprintf(w, "%.200s\n", line)
	}
	if len(lines) > screenful {
		fmt.Fprintf(w, "… and %d lines more\n", len(lines)-screenful)
	}
}

// write writes results.md and results.svg into a directory.
func (r *report) write(directory string) error {
	chart, err := drawChart(r)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"results.md": []byte(r.markdown()), "results.svg": chart} {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o644); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	return nil
}

// markdown is results.md.
func (r *report) markdown() string {
	var b strings.Builder
	b.WriteString("# Results\n\n")
	fmt.Fprintf(&b, "Written by `%s`; changes by hand are lost.\n\n%s\n\n![%s](results.svg)\n", r.command(), r.headline(), chartTitle)
	for _, s := range r.sections() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n%s", s.title, s.text, s.table.Markdown())
	}
	m := r.machine
	fmt.Fprintf(&b, "\n## Machine\n\n%s, %d cores, %s, %s. The soak and the four servers share it, so latencies hold for nothing else.\n",
		m.CPU, m.Cores, m.OS, m.Go)
	fmt.Fprintf(&b, "Times are scaled down: RefreshInterval %v, MaxStale %v, RefetchCooldown %v, FetchTimeout %v, Leeway %v; %d tokens are remembered.\n",
		r.pace.RefreshInterval, r.pace.MaxStale, r.pace.Cooldown, r.pace.FetchTimeout, r.pace.Leeway, memorySize)
	return b.String()
}

// command is the line that makes this run again.
func (r *report) command() string {
	line := fmt.Sprintf("./scripts/soak.sh -for %v -seed %d", r.options.length, r.options.seed)
	if r.options.race {
		line += " -race"
	}
	return line
}

// headline is what a reader should take away.
func (r *report) headline() string {
	t := r.tally.total
	times := 0
	for _, m := range r.faults {
		times += m.times
	}
	verdict := "nothing was wrong"
	if n := r.offences.total(); n > 0 {
		verdict = fmt.Sprintf("**%s answers or fetches were wrong**", table.Thousands(n))
	}
	return fmt.Sprintf("Four servers, %s answers, %d faults of %d kinds in %v: %s.",
		table.Thousands(t.Accepted+t.Refused+t.Unavailable), times, len(r.faults), r.options.length, verdict)
}
