package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The settings of every verifier, and what core and a busy machine add to them.
const (
	leeway          = time.Second
	refreshInterval = time.Second
	maxStale        = 4 * time.Second
	cooldown        = 500 * time.Millisecond
	fetchTimeout    = time.Second
	leastBackoff    = time.Second
	slack           = 300 * time.Millisecond // how far apart core and the soak may read the clock
)

// Outcomes of a request: the status and the code of a refusal.
const (
	accepted    = "200 "
	invalid     = "401 token_invalid"
	expired     = "401 token_expired"
	unavailable = "503 keys_unavailable"
)

// A truth is what the soak knows about a request, because it made it.
type truth struct {
	kid     string    // of the key that is needed; empty if none is
	outcome string    // the right one where that key is known
	expires time.Time // with leeway; zero if nothing expires
	body    string    // of the answer, if accepted
}

// outcomes returns the right outcomes where the key is known: two, if the token
// expired between the two times.
func (t truth) outcomes(sent, answered time.Time) (right []string) {
	if t.expires.IsZero() || sent.Before(t.expires) {
		right = append(right, t.outcome)
	}
	if !t.expires.IsZero() && !answered.Before(t.expires) {
		right = append(right, expired)
	}
	return right
}

// allowed returns the right outcomes of a request, where the keys of the fetches
// were in force between the two times. One without a document stands for none.
func allowed(t truth, keys []fetch, sent, answered time.Time) (right []string) {
	if t.kid == "" {
		return t.outcomes(sent, answered)
	}
	if t.outcome == invalid {
		right = append(right, invalid) // before or after the key is looked up
	}
	for _, f := range keys {
		stale := f.begun.Add(maxStale)
		if answered.After(stale.Add(-slack)) {
			right = append(right, unavailable)
		}
		switch {
		case sent.After(stale):
		case strings.Contains(f.document, t.kid):
			right = append(right, t.outcomes(sent, answered)...)
		default:
			right = append(right, invalid) // not fetched yet, or withdrawn
		}
	}
	return right
}

// judge returns the kind of offence that an answer is, and what was wrong. kind
// is empty for an answer that is right.
func judge(t truth, keys []fetch, outcome, body string, sent, answered time.Time) (kind, detail string) {
	right := allowed(t, keys, sent, answered)
	switch {
	case outcome == accepted && !slices.Contains(right, accepted):
		kind = "bad token accepted"
	case outcome == accepted && body != t.body:
		kind = "another identity"
	case !slices.Contains(right, outcome):
		kind = "wrong refusal"
	}
	return kind, fmt.Sprintf("got %q %q, want one of %q, and %q if accepted", outcome, body, right, t.body)
}
