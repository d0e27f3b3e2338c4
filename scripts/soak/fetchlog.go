package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// A fetch is one request of a verifier for the certs document.
type fetch struct {
	begun    time.Time
	document string    // that the verifier has to take; empty for any other answer
	served   time.Time // when it came
	ended    time.Time // when the outcome was in force; zero before
	reason   string
	err      error
}

func (f fetch) isGood() bool { return f.document != "" && f.err == nil }

// A fetchLog is the transport of a verifier and its Fetched hook. It keeps the
// last fetches and checks each. It is safe for concurrent use.
type fetchLog struct {
	report func(kind, detail string)

	mu      sync.Mutex // guards the fields below
	fetches []*fetch   // oldest first
	open    int        // requests without an answer
	pace    pace
}

// RoundTrip implements http.RoundTripper.
func (l *fetchLog) RoundTrip(request *http.Request) (*http.Response, error) {
	f := &fetch{begun: time.Now()}
	l.mu.Lock()
	l.fetches = append(l.fetches[max(0, len(l.fetches)-64):], f)
	if l.open++; l.open > 1 {
		l.report("two fetches at once", fmt.Sprint(l.open))
	}
	l.mu.Unlock()
	response, err := http.DefaultTransport.RoundTrip(request)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if err == nil {
		f.document, f.served = response.Header.Get(documentHeader), time.Now()
		response.Body = http.MaxBytesReader(nil, response.Body, 1<<20+64<<10) // a buffer may read ahead
	}
	return response, err
}

// fetched is the Fetched hook. Core calls it when the outcome is in force; the
// next fetch may have begun by then.
func (l *fetchLog) fetched(_ context.Context, e core.Fetch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.fetches[slices.IndexFunc(l.fetches, func(f *fetch) bool { return f.ended.IsZero() })]
	f.ended, f.reason, f.err = time.Now(), e.Reason, e.Err
	for _, kind := range l.pace.check(*f) {
		l.report(kind, fmt.Sprintf("%q, took %v, error %v", f.reason, f.ended.Sub(f.begun), f.err))
	}
}

// A pace is when the next fetch may begin: by reason, and for any with "".
type pace map[string]time.Time

// check returns what is wrong with the next fetch, which has ended.
func (p pace) check(f fetch) (offences []string) {
	for kind, wrong := range map[string]bool{
		"bad document taken":     f.err == nil && !f.isGood(),
		"good document refused":  f.err != nil && f.document != "" && f.ended.Sub(f.begun) < fetchTimeout-slack,
		"body read beyond 1 MiB": errors.As(f.err, new(*http.MaxBytesError)),
		"fetch too early":        f.begun.Before(p[""]) || f.begun.Before(p[f.reason]),
	} {
		if wrong {
			offences = append(offences, kind)
		}
	}
	if f.reason == core.ReasonUnknownKid {
		p[f.reason] = f.begun.Add(cooldown - slack)
	}
	if f.err != nil {
		p[""] = f.ended.Add(leastBackoff - slack)
	} else {
		p[core.ReasonRefresh] = f.begun.Add(refreshInterval - slack)
	}
	return offences
}

// between returns the fetches whose keys were in force at some moment between
// the two times. Core takes a document between served and ended.
func (l *fetchLog) between(sent, answered time.Time) (keys []fetch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range slices.Backward(l.fetches) {
		if !f.isGood() || f.served.After(answered) {
			continue
		}
		keys = append(keys, *f)
		if !f.ended.IsZero() && !f.ended.After(sent) {
			return keys
		}
	}
	return append(keys, fetch{})
}

// has reports whether a fetch that began after a time has ended, well or not.
func (l *fetchLog) has(good bool, after time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.fetches, func(f *fetch) bool {
		return f.begun.After(after) && !f.ended.IsZero() && f.isGood() == good
	})
}
