package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cfaccess/cfaccess/scripts/table"
)

// A section is a part of the report, the same on the terminal and on the page.
type section struct {
	Title string
	Text  string
	Table *table.Table
}

// columns are the contenders in the order of the tables.
var columns = [...]string{nameOurs, nameGolangJWT, nameOIDC, nameJWX, nameAuth0, nameMap, nameRSA}

// sections returns the whole report.
func sections(r *report) []section {
	list := []section{targetSection(r)}
	list = append(list, caseSections(r)...)
	list = append(list, parallelSection(r), crowdSection(r), footprintSection(r))
	list = append(list, httpSections(r)...)
	return append(list, runSection(r))
}

func targetSection(r *report) section {
	t := &table.Table{Head: []string{"target", "wanted", "measured", ""}, Text: []int{1, 2, 3}}
	missed := 0
	for _, target := range targets(r) {
		if !target.Met {
			missed++
		}
		t.Add(target.What, target.Want, target.Figure, target.verdict())
	}
	text := fmt.Sprintf("All %d are met.", len(t.Rows))
	switch {
	case missed == 1:
		text = fmt.Sprintf("1 of %d is missed.", len(t.Rows))
	case missed > 1:
		text = fmt.Sprintf("%d of %d are missed.", missed, len(t.Rows))
	}
	if r.Quick {
		text = "A smoke run: the figures mean nothing. " + text
	}
	return section{"Targets", text, t}
}

// caseSections are one table for each thing that is measured of a case.
func caseSections(r *report) []section {
	head := slices.Concat([]string{"case"}, columns[:])
	grid := func(cell func(f, ours figure) string) *table.Table {
		t := &table.Table{Head: head}
		for _, result := range r.Cases {
			row := []string{result.Case}
			for _, name := range columns {
				if f := r.cost(result.Case, name); math.IsNaN(f.NS) {
					row = append(row, "–")
				} else {
					row = append(row, cell(f, r.cost(result.Case, nameOurs)))
				}
			}
			t.Add(row...)
		}
		return t
	}
	return []section{
		{"Times as long as cfaccess",
			"The medians of interleaved rounds, on one goroutine. A first-time token is one that the verifier has never seen. " +
				"For an unknown kid go-oidc fetches the keys each time, here over loopback.",
			grid(func(f, ours figure) string { return digits(f.NS/ours.NS) + " ×" })},
		{"Time of one verification", "", grid(func(f, _ figure) string { return duration(f.NS) })},
		{"Allocations of one verification", "Those of go-oidc for an unknown kid include the server's that answers its fetch.",
			grid(func(f, _ figure) string { return table.Thousands(int(f.Allocs)) })},
		{"Bytes allocated by one verification", "", grid(func(f, _ figure) string { return table.Thousands(int(f.Bytes)) })},
	}
}

func parallelSection(r *report) section {
	t := &table.Table{Head: []string{"64 sessions in turn", "1 proc", "2 procs", "2 over 1"}}
	for _, s := range r.Parallel {
		t.Add(s.Name, duration(s.One.NS), duration(s.Two.NS), fmt.Sprintf("%.2f", s.ratio()))
	}
	return section{"One core and two",
		"Time that passes for one operation. 0.50 is perfect; the floors share nothing between cores and show what this machine gives. " +
			"Measured at up to three times of the run, of which that one counts at which the map look-up scaled best.", t}
}

func crowdSection(r *report) section {
	t := &table.Table{Head: []string{"they come", "look-ups", "hits", "at best", "a Verify", "go-oidc", "times faster"}}
	for _, c := range r.Crowds {
		t.Add(c.Law, table.Thousands(c.LookUps), percent(c.Hits), percent(c.Best), duration(c.NS), duration(c.Peer), digits(c.Peer/c.NS)+" ×")
	}
	return section{"More sessions than are remembered",
		fmt.Sprintf("%s sessions, of which %s are remembered. At best: with the most popular of them always remembered. "+
			"go-oidc, which remembers none, has verified some of them in between.",
			table.Thousands(r.Size.Pool), table.Thousands(r.Size.Memory)), t}
}

func footprintSection(r *report) section {
	f := r.Footprint
	t := &table.Table{Head: []string{"after", "bytes a remembered token", "in all"}}
	for _, row := range []struct {
		after string
		bytes float64
	}{
		{table.Thousands(f.Remembered) + " tokens, the bound", f.Full},
		{table.Thousands(f.More) + " more", f.After},
	} {
		t.Add(row.after, table.Thousands(int(row.bytes)), fmt.Sprintf("%.1f MiB", row.bytes*float64(f.Remembered)/(1<<20)))
	}
	return section{"Memory", "The live heap of a verifier and all that it holds, tokens and claims included.", t}
}

func httpSections(r *report) []section {
	rates := &table.Table{Head: []string{"framework", "bare, a second", "protected, a second", "protected over bare", "of all pairs",
		"bare, CPU a request", "protected, CPU a request"}}
	latencies := &table.Table{Head: []string{"framework", "bare, p50", "protected, p50", "bare, p99", "protected, p99"}}
	for _, s := range r.HTTP {
		rates.Add(s.Framework, table.Thousands(int(s.Bare.PerSecond)), table.Thousands(int(s.Protected.PerSecond)), fmt.Sprintf("%.3f", s.Ratio),
			fmt.Sprintf("%.2f to %.2f", slices.Min(s.Ratios), slices.Max(s.Ratios)), latency(s.BareCPU), latency(s.ProtectedCPU))
		latencies.Add(s.Framework, latency(s.Bare.P50), latency(s.Protected.P50), latency(s.Bare.P99), latency(s.Protected.P99))
	}
	return []section{
		{"Requests a second over HTTP",
			fmt.Sprintf("Of servers that say hello; the medians of %d pairs. A load alternates between the bare and the protected server, "+
				"%d turns of %v for each. Servers and load generator are processes of their own on loopback and share the cores: "+
				"%d connections, %d sessions, the token in its header for both. The CPU is that of the server's process alone.",
				r.Size.Pairs, r.Size.Turns, r.Size.Turn, r.Size.Connections, sessionCount), rates},
		{"Latency over HTTP", fmt.Sprintf("Of the same requests, while all %d connections are busy.", r.Size.Connections), latencies},
	}
}

func runSection(r *report) section {
	m := r.Machine
	return section{"The run", fmt.Sprintf(
		"`%s` took %v on %s, %d cores, %s, %s; load average at the start %s. Rounds: %d of %v for each.\n\n%s",
		r.Command, r.Took.Round(time.Second), m.CPU, m.Cores, m.OS, m.Go, m.Load, r.Size.Rounds, r.Size.Slice,
		"- "+strings.Join(versions(), "\n- ")), nil}
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

func latency(d time.Duration) string { return duration(float64(d)) }
