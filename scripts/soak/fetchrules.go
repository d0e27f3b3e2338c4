package main

import (
	"fmt"
	"time"
)

// mostBody is what a server may take of a body: "body over 1 MiB" is a failed
// fetch, which takes a byte more to find out, and a buffer reads ahead.
const mostBody = 1<<20 + 64<<10

// overdue is how late a fetch may be. It begins with the next request after it
// is due, and those come every few milliseconds; but a machine may have so much
// else to do that for seconds none does.
const overdue = 4 * time.Second

// A pause is a time without requests, on the soak's clock.
type pause struct{ begin, end time.Time }

// fetchRules hold a server's fetches against the table "Keys".
type fetchRules struct {
	pace   pace
	pauses []pause
	ends   time.Time // of the storm
}

// check calls report for every fetch that breaks a rule.
func (r fetchRules) check(fetches []fetch, report func(f fetch, what verdict, expected, got string)) {
	var unknown *fetch // the last for an unknown kid
	failures := 0      // in a row, before the fetch
	for i := range fetches {
		f := &fetches[i]
		r.checkOne(*f, report)
		if i > 0 {
			last := &fetches[i-1]
			r.checkGap(*last, *f, unknown, failures, report)
		}
		if f.err != "" {
			failures++
		} else {
			failures = 0
		}
		if f.reason == reasonUnknownKid {
			unknown = f
		}
		if i == len(fetches)-1 && f.hasLanded() {
			r.checkDue(*f, r.due(*f, failures), r.ends, report)
		}
	}
}

// checkOne checks a fetch by itself.
func (r fetchRules) checkOne(f fetch, report func(fetch, verdict, string, string)) {
	switch {
	case !f.hasLanded() && f.begunAt.Before(r.ends):
		report(f, overdueFetch, fmt.Sprintf("an end within FetchTimeout, %v", r.pace.FetchTimeout), "none")
	case f.hasLanded() && f.landed-f.begun > r.pace.FetchTimeout+overdue:
		report(f, overdueFetch, fmt.Sprintf("an end within FetchTimeout, %v", r.pace.FetchTimeout), fmt.Sprintf("%v", f.landed-f.begun))
	}
	if f.atOnce > 1 {
		// "at most one fetch", and "never more than one at a time for a team".
		report(f, tooManyFetch, "one fetch at a time", fmt.Sprintf("%d", f.atOnce))
	}
	if f.bytes > mostBody {
		report(f, tooMuchBody, fmt.Sprintf("at most %d bytes", mostBody), fmt.Sprintf("%d", f.bytes))
	}
	// "body over 1 MiB, not JSON, no usable key, status ≠ 200, redirect | a
	// failed fetch", and "some keys unusable | those are skipped, the rest serve".
	switch {
	case f.hasLanded() && f.err == "" && !f.servedAt.IsZero() && f.kids == nil:
		report(f, wrongKeys, "a failed fetch", "its keys were taken")
	case f.err != "" && f.kids != nil && f.landed-f.begun < r.pace.FetchTimeout*3/4:
		report(f, wrongKeys, "the document to be taken", f.err)
	}
}

// checkGap checks that a fetch had a reason to begin when it did, after the one
// before. Both times are on the server's clock, some time after core's.
func (r fetchRules) checkGap(last, f fetch, unknown *fetch, failures int, report func(fetch, verdict, string, string)) {
	early := func(expected string, since, least time.Duration) {
		if gap := f.begun - since; gap < least-scheduling {
			report(f, tooManyFetch, fmt.Sprintf("%s, %v", expected, least), fmt.Sprintf("%v", gap.Round(time.Millisecond)))
		}
	}
	switch {
	case f.reason == reasonUnknownKid && last.err != "":
		report(f, tooManyFetch, "no fetch for an unknown kid while the last one failed", "one")
	case f.reason == reasonUnknownKid:
		if unknown != nil {
			early("RefetchCooldown between fetches for unknown kids", unknown.begun, r.pace.Cooldown)
		}
	case f.reason == reasonRefresh && last.err != "":
		least, _ := backoff(failures)
		early(fmt.Sprintf("the backoff after %d failed fetches", failures), last.landed, least)
	case f.reason == reasonRefresh:
		early("RefreshInterval between fetches", last.begun, r.pace.RefreshInterval)
	case f.hasLanded():
		report(f, tooManyFetch, "a reason: refresh or unknown kid", f.reason)
	}
	r.checkDue(f, r.due(last, failures), f.begunAt, report)
}

// due is when the next fetch has to begin at the latest.
func (r fetchRules) due(last fetch, failures int) time.Time {
	if last.err == "" {
		return last.begunAt.Add(r.pace.RefreshInterval)
	}
	_, most := backoff(failures)
	return last.landedAt.Add(most)
}

// checkDue checks that a fetch began by the time it was due.
func (r fetchRules) checkDue(f fetch, due, begun time.Time, report func(fetch, verdict, string, string)) {
	for _, p := range r.pauses {
		if due.After(p.begin.Add(-overdue)) && due.Before(p.end) {
			due = p.end // nobody came by
		}
	}
	if begun.After(due.Add(overdue)) {
		report(f, overdueFetch, "a fetch when it is due", fmt.Sprintf("it was %v late", begun.Sub(due).Round(time.Millisecond)))
	}
}

// allowedFetches is how many the rules let a server make in such a time.
func (r fetchRules) allowedFetches(fetches []fetch, length time.Duration) int {
	failed := 0
	for _, f := range fetches {
		if f.err != "" {
			failed++ // each has one retry
		}
	}
	return 2 + int(length/r.pace.RefreshInterval) + int(length/r.pace.Cooldown) + failed
}
