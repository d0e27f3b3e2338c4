package main

import (
	"net/http"
	"sync/atomic"
	"time"
)

// A court judges answers once all is known about the time they are from.
type court struct {
	oracle   *oracle
	tally    *tally
	offences *offences
	fault    atomic.Pointer[string] // under way, or the last before
}

func newCourt(o *oracle) *court {
	c := &court{oracle: o, tally: newTally(), offences: newOffences()}
	c.during("no fault yet")
	return c
}

// during says which fault is under way.
func (c *court) during(fault string) { c.fault.Store(&fault) }

// settles is how long after an answer the lines of all fetches that matter to
// it are read.
func (c *court) settles() time.Duration { return 2*c.oracle.pace.FetchTimeout + time.Second }

// accuse notes an offence.
func (c *court) accuse(s *server, what verdict, at time.Time, fault, kind, expected, got string) {
	c.offences.add(offence{
		what: what, at: c.tally.since(at), server: s.name, fault: fault, kind: kind, expected: expected, got: got,
	})
}

// A trial is an answer that waits to be judged.
type trial struct {
	kind     string
	truth    truth
	fault    string
	got      outcome
	sent     time.Time
	answered time.Time
}

// A docket holds the trials of one client, in the order of their answers. It is
// used by one goroutine.
type docket struct {
	court  *court
	server *server
	trials []trial
}

// file counts an answer, or the lack of one, and keeps it for its trial.
func (d *docket) file(r *request, got outcome, sent, answered time.Time, err error) {
	fault := *d.court.fault.Load()
	if err != nil {
		what := serverError
		if isHung(err) {
			what = hung
		}
		d.court.accuse(d.server, what, answered, fault, r.kind, "an answer", describeFailure(err))
		return
	}
	d.court.tally.add(fault, got.status, r.valid, sent, answered)
	if got.status >= http.StatusInternalServerError && got.code != codeUnavailable {
		d.court.accuse(d.server, serverError, answered, fault, r.kind, "an answer", got.String())
		return
	}
	d.trials = append(d.trials, trial{r.kind, r.truth, fault, got, sent, answered})
}

// hear judges what was answered before a moment.
func (d *docket) hear(before time.Time) {
	done := 0
	for _, t := range d.trials {
		if !t.answered.Before(before) {
			break
		}
		done++
		view := d.server.log.during(t.sent, t.answered)
		if o := d.court.oracle.judge(t.truth, view, t.got, t.sent, t.answered); o != nil {
			d.court.accuse(d.server, o.what, t.answered, t.fault, t.kind, o.expected, o.got)
		}
	}
	d.trials = append(d.trials[:0], d.trials[done:]...)
}
