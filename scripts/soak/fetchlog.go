package main

import (
	"slices"
	"sync"
	"time"

	"github.com/cfaccess/cfaccess/scripts/soak/instrument"
)

// A fetch is one certs fetch, as the server and the endpoint saw it.
type fetch struct {
	number int

	begunAt time.Time     // when the soak read that it begins: no later than that
	begun   time.Duration // the same on the server's clock
	atOnce  int           // fetches under way with it

	servedAt time.Time // just before the answer began; zero: it never got there
	answer   string    // the fault; empty for the document
	kids     []string  // of a document that has to be taken; nil for any other answer

	landedAt time.Time // when the soak read that it is over: no earlier than that
	landed   time.Duration
	reason   string
	err      string // empty if it worked
	bytes    int64
}

// hasLanded reports whether the fetch is over.
func (f *fetch) hasLanded() bool { return !f.landedAt.IsZero() }

// good reports whether the fetch brought keys, or may yet.
func (f *fetch) good() bool { return f.kids != nil && f.err == "" }

// A fetchLog is all that is known of one server's fetches. It is safe for
// concurrent use.
type fetchLog struct {
	mu      sync.Mutex // guards the fields below
	fetches []*fetch   // by number
	zero    time.Time  // of the server's clock: that of the line which was read soonest
}

// at returns the fetch of that number. mu is held.
func (l *fetchLog) at(number int) *fetch {
	for len(l.fetches) < number {
		l.fetches = append(l.fetches, &fetch{number: len(l.fetches) + 1})
	}
	return l.fetches[number-1]
}

// served notes what the endpoint serves.
func (l *fetchLog) served(number int, answer string, kids []string, now time.Time) {
	if number < 1 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.at(number)
	f.servedAt, f.answer, f.kids = now, answer, kids
}

// read notes what the server says.
func (l *fetchLog) read(e instrument.Event, now time.Time) {
	if e.Fetch < 1 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if zero := now.Add(-e.Since); l.zero.IsZero() || zero.Before(l.zero) {
		l.zero = zero
	}
	f := l.at(e.Fetch)
	switch e.Kind {
	case instrument.Begun:
		f.begunAt, f.begun, f.atOnce = now, e.Since, e.AtOnce
	case instrument.Landed:
		f.landedAt, f.landed, f.reason, f.err, f.bytes = now, e.Since, e.Reason, e.Err, e.Bytes
	}
}

// all returns a copy of what is known.
func (l *fetchLog) all() []fetch {
	l.mu.Lock()
	defer l.mu.Unlock()
	fetches := make([]fetch, 0, len(l.fetches))
	for _, f := range l.fetches {
		fetches = append(fetches, *f)
	}
	return fetches
}

// A keyset is the outcome of a good fetch.
type keyset struct {
	kids     []string
	earliest time.Time // when its fetch began, on the server's clock
	latest   time.Time // the same, as the soak read it
	servedAt time.Time
}

// A view is what a server may have known at some time between two moments.
// Everything in it is ordered by messages and not by clocks: keys can't be known
// before the endpoint served them, and are for certain once the soak has read
// that their fetch has landed.
type view struct {
	sets     []keyset // any of these may have been in force
	failing  bool     // the last fetch may have failed
	unknowns []fetch  // those for an unknown kid that began no later
}

// cooldownAtMost is longer than any cooldown: fetches before that don't matter.
const cooldownAtMost = time.Minute

// during returns the view of a request that was sent and answered then. It is
// final once the lines of all fetches that began by then are read.
func (l *fetchLog) during(sent, answered time.Time) view {
	l.mu.Lock()
	defer l.mu.Unlock()
	var v view
	past := false // what is left was history when the request was sent
	for _, f := range slices.Backward(l.fetches) {
		if past && f.begunAt.Before(sent.Add(-cooldownAtMost)) {
			break
		}
		if f.reason == reasonUnknownKid {
			v.unknowns = append(v.unknowns, *f)
		}
		if past {
			continue
		}
		switch {
		case !f.good() && l.zero.Add(f.begun).Before(answered.Add(scheduling)):
			v.failing = true
		case f.good() && f.servedAt.Before(answered):
			v.sets = append(v.sets, keyset{f.kids, l.zero.Add(f.begun), f.begunAt, f.servedAt})
			past = f.hasLanded() && f.landedAt.Before(sent)
		}
	}
	return v
}

// The reasons that core gives for a fetch, written out again: what core says is
// what is on trial.
const (
	reasonFirst      = "first"
	reasonRefresh    = "refresh"
	reasonUnknownKid = "unknown kid"
	reasonAsked      = "asked"
)
