package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/scripts/soak/instrument"
)

// newReport is of a run in which nothing was wrong.
func newReport() *report {
	c := newCourt(&oracle{testPace, newKeyring()})
	c.tally.begin(noon)
	r := &report{
		options: options{length: time.Minute, seed: 7, race: true}, pace: testPace, machine: machine{CPU: "a CPU", Cores: 2},
		length: time.Minute, tally: c.tally, offences: c.offences,
	}
	for i, f := range faults {
		begin := time.Duration(4*i) * time.Second
		r.bands = append(r.bands, band{f, begin, begin + time.Second, begin + 4*time.Second})
		for n := range 20 {
			at := noon.Add(begin + time.Duration(n)*200*time.Millisecond)
			c.tally.add(f.name, []int{200, 401, 503}[n%3], true, at, at.Add(time.Millisecond))
		}
		r.faults = append(r.faults, metFault{fault: f, times: 1, fetches: 4, servers: 4})
	}
	for _, name := range examples {
		r.servers = append(r.servers, inspected{name: name, samples: []instrument.Sample{{Goroutines: 9}, {Goroutines: 10}}})
	}
	return r
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := newReport()
	if r.failed() {
		t.Error("a good run has failed")
	}
	directory := t.TempDir()
	if err := r.write(directory); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(directory, "results.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"nothing was wrong", "./scripts/soak.sh -for 1m0s -seed 7 -race", "| long outage | 1 |", "| fiber |", "9 → 10"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("results.md lacks %q", want)
		}
	}
	chart, err := os.ReadFile(filepath.Join(directory, "results.svg"))
	if err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(bytes.NewReader(chart)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("results.svg is not XML: %v", err)
		}
	}
	for _, f := range faults {
		if !strings.Contains(string(chart), ">"+f.name+"<") {
			t.Errorf("results.svg lacks the name of %s", f.name)
		}
	}
}

// Each verdict alone makes a run fail, and is told with all that it takes to
// look into it.
func TestReportFails(t *testing.T) {
	t.Parallel()
	for _, what := range verdicts {
		t.Run(string(what), func(t *testing.T) {
			r := newReport()
			r.offences.add(offence{what: what, at: 2500 * time.Millisecond, server: "gin", fault: "hang", kind: "a kind", expected: "this", got: "that"})
			if !r.failed() {
				t.Error("the run has not failed")
			}
			var printed strings.Builder
			r.print(&printed)
			for _, want := range []string{"seed 7", "2.500s", "gin", string(what), "a kind", `during "hang"`, "expected this", "got that"} {
				if !strings.Contains(printed.String(), want) {
					t.Errorf("it prints no %q:\n%s", want, printed.String())
				}
			}
			if text := r.markdown(); strings.Contains(text, "nothing was wrong") || !strings.Contains(text, "| "+string(what)+" | 1 |") {
				t.Errorf("results.md is of a good run:\n%s", text)
			}
		})
	}
}

func TestOffendersFitOnAScreen(t *testing.T) {
	t.Parallel()
	team := accesstest.NewTeam(teamName)
	defer team.Close()
	token := team.SignUser(audience, victim)
	r := newReport()
	for i := range 100 {
		r.offences.add(offence{what: verdicts[i%len(verdicts)], got: "a line " + token + strings.Repeat("\nanother", 50)})
	}
	var printed strings.Builder
	r.print(&printed)
	_, offenders, ok := strings.Cut(printed.String(), "== Offenders")
	if lines := strings.Count(offenders, "\n"); !ok || lines > screenful+2 {
		t.Errorf("%d lines, want at most %d", lines, screenful+2)
	}
	if _, payload, signature := segments(token); strings.Contains(offenders, payload) || strings.Contains(offenders, signature) {
		t.Error("a token is printed")
	}
	if !strings.Contains(offenders, "a line eyJ…") {
		t.Errorf("a token leaves no trace:\n%s", offenders)
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, test := range []struct {
		sorted []time.Duration
		p      int
		want   time.Duration
	}{{nil, 50, 0}, {hundred[:1], 99, 1}, {hundred, 50, 50}, {hundred, 99, 99}, {hundred, 100, 100}, {hundred[:3], 50, 2}} {
		t.Run(fmt.Sprintf("%d of %d", test.p, len(test.sorted)), func(t *testing.T) {
			if got := percentile(test.sorted, test.p); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestFootprint(t *testing.T) {
	t.Parallel()
	start := instrument.Sample{Goroutines: 10, Live: 1 << 20, Peak: 2 << 20}
	for name, test := range map[string]struct {
		later instrument.Sample
		want  string
	}{
		"the same":            {start, ""},
		"goroutines, enough":  {instrument.Sample{Goroutines: 10 + moreGoroutines, Live: 1 << 20}, ""},
		"goroutines, leaking": {instrument.Sample{Goroutines: 11 + moreGoroutines, Live: 1 << 20}, "goroutines"},
		"heap, enough":        {instrument.Sample{Live: 1<<20 + moreHeap}, ""},
		"heap, leaking":       {instrument.Sample{Live: 1<<20 + moreHeap + 1}, "live heap"},
		"peak, enough":        {instrument.Sample{Peak: 1<<20 + mostPeak}, ""},
		"peak, a whole body":  {instrument.Sample{Peak: 1<<20 + mostPeak + 1}, "peak heap"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			checkSamples([]instrument.Sample{start, test.later}, func(kind, _, _ string) { got += kind })
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
