package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cfaccess/cfaccess/scripts/soak/instrument"
	"github.com/cfaccess/cfaccess/scripts/table"
)

// A report is all that a run has found.
type report struct {
	options  options
	pace     pace
	machine  machine
	length   time.Duration
	bands    []band
	tally    *tally
	servers  []inspected
	faults   []metFault
	offences *offences
}

// inspected is what a server as a whole looks like.
type inspected struct {
	name    string
	fetches int
	allowed int
	atOnce  int
	body    int64
	samples []instrument.Sample
}

// A metFault is what came of the faults of one name.
type metFault struct {
	fault   *fault
	times   int
	fetches int // of all servers that met it
	servers int // that met it
}

// meet finds out which server met which fault. A fault that none met has not
// been tried.
func (r *report) meet(c *court, servers []*server, began time.Time) {
	for _, f := range faults {
		m := metFault{fault: f}
		for _, b := range r.bands {
			if b.fault == f {
				m.times++
			}
		}
		if m.times == 0 {
			continue
		}
		for _, s := range servers {
			n := 0
			for _, fetch := range s.log.all() {
				if r.met(f, fetch, began) {
					n++
				}
			}
			m.fetches += n
			if n > 0 {
				m.servers++
			}
		}
		if m.servers == 0 {
			c.accuse(servers[0], unseen, time.Now(), f.name, "the storm", "a fetch", "none")
		}
		r.faults = append(r.faults, m)
	}
}

// faultAt returns the name of the fault that was under way, or the last before.
func (r *report) faultAt(at time.Duration) string {
	name := "no fault yet"
	for _, b := range r.bands {
		if b.begin <= at {
			name = b.fault.name
		}
	}
	return name
}

// met reports whether a fetch met the fault: was answered with it, or else
// brought the keys that it had changed.
func (r *report) met(f *fault, fetch fetch, began time.Time) bool {
	if f.answer != nil && fetch.answer == f.name {
		return true
	}
	at := fetch.servedAt.Sub(began)
	return (f.answer == nil || f.rotates) && slices.ContainsFunc(r.bands, func(b band) bool {
		return b.fault == f && at >= b.begin && at <= b.over
	})
}

// failed reports whether anything was found that must not be, or nothing that
// must.
func (r *report) failed() bool {
	t := r.tally.total
	return r.offences.total() > 0 || t.Accepted == 0 || t.Refused == 0
}

// A section is a part of the report.
type section struct {
	title string
	text  string
	table *table.Table
}

func (r *report) sections() []section {
	t := r.tally.total
	return []section{
		{"Must be zero", fmt.Sprintf("Of %s answers %s accepted, %s refused and %s said 503; `-seed %d` makes the same faults and choices again.",
			table.Thousands(t.Accepted+t.Refused+t.Unavailable), table.Thousands(t.Accepted), table.Thousands(t.Refused), table.Thousands(t.Unavailable),
			r.options.seed), r.zeroes()},
		{"Faults", "Latencies are of good tokens' requests that were accepted, from the beginning of the fault until the next.", r.faultTable()},
		{"Servers", "Three figures are of the start, the middle and the end, while nobody sent anything. The heap is the live one. " +
			"Fetches at most are what the refreshes, one unknown kid a cooldown and the retries add up to; the gap before each fetch is checked by itself.",
			r.serverTable()},
	}
}

func (r *report) zeroes() *table.Table {
	t := &table.Table{Head: []string{"what", "found"}}
	for _, what := range verdicts {
		t.Add(string(what), table.Thousands(r.offences.count(what)))
	}
	return t
}

func (r *report) faultTable() *table.Table {
	t := &table.Table{Head: []string{"fault", "times", "fetches", "servers", "accepted", "refused", "503", "p50", "p99", "worst"}}
	for _, m := range r.faults {
		s := r.tally.faults[m.fault.name]
		if s == nil {
			s = &share{}
		}
		p50, p99, worst := s.latency()
		t.Add(m.fault.name, fmt.Sprint(m.times), fmt.Sprint(m.fetches), fmt.Sprint(m.servers),
			table.Thousands(s.Accepted), table.Thousands(s.Refused), table.Thousands(s.Unavailable),
			milliseconds(p50), milliseconds(p99), milliseconds(worst))
	}
	return t
}

func (r *report) serverTable() *table.Table {
	t := &table.Table{Head: []string{"server", "fetches", "at most", "at once", "most of a body", "goroutines", "heap", "peak"}}
	for _, s := range r.servers {
		var goroutines, live []string
		var peak uint64
		for _, sample := range s.samples {
			goroutines = append(goroutines, fmt.Sprint(sample.Goroutines))
			live = append(live, fmt.Sprintf("%.1f", float64(sample.Live)/(1<<20)))
			peak = max(peak, sample.Peak)
		}
		t.Add(s.name, fmt.Sprint(s.fetches), fmt.Sprint(s.allowed), fmt.Sprint(s.atOnce), megabytes(uint64(s.body)),
			strings.Join(goroutines, " → "), strings.Join(live, " → ")+" MiB", megabytes(peak))
	}
	return t
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
