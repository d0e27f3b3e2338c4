package core

import (
	"context"
	"time"
)

// Hooks are callbacks for metrics and tracing. The zero value has none and
// costs nothing. They may be called from several goroutines at once.
//
// A hook delays what it reports. A panic of Fetched ends the process, since a fetch
// has its own goroutine. Claims and error texts in hooks are not for clients.
type Hooks struct {
	// Decided is called once at the end of each Verify, Authenticate, Admit and
	// Require, with every outcome. Several cookies are one decision, and an
	// adapter's New and Require are two. Require without claims in its context is
	// not reported. ctx is the caller's.
	Decided func(ctx context.Context, d Decision)
	// Fetched is called at the end of every certs and identity fetch, before the
	// requests that wait for it go on. ctx is the fetch's own, not a request's.
	Fetched func(ctx context.Context, e Fetch)
}

// Decision reports a decision about a request.
type Decision struct {
	Claims   *Claims       // the verified caller, also if a policy refuses it; nil for all others
	Err      error         // why the request was refused; nil if it wasn't. Matches one of the sentinels
	Cached   bool          // the token was found in the cache of verified tokens
	Required bool          // decided by Require
	Duration time.Duration // since the call
}

// Fetch reports one certs or identity fetch.
type Fetch struct {
	Reason   string // one of the Reason constants
	Keys     int    // usable keys in the certs document; 0 if Err is set
	Err      error  // why the fetch failed; the last good keys, or the last identity, stay in use
	Duration time.Duration
}

// The reasons for a fetch.
const (
	ReasonFirst      = "first"       // no keys were known yet
	ReasonRefresh    = "refresh"     // the keys were older than RefreshInterval, or the last fetch failed
	ReasonUnknownKid = "unknown kid" // a token named a key id that isn't known
	ReasonAsked      = "asked"       // Refresh was called
	ReasonIdentity   = "identity"    // Claims.Identity or Groups needs it; all others are certs fetches
)

// Join returns hooks that call h's and then those of each of more, in order.
func (h Hooks) Join(more ...Hooks) Hooks {
	for _, next := range more {
		h.Decided = join(h.Decided, next.Decided)
		h.Fetched = join(h.Fetched, next.Fetched)
	}
	return h
}

func join[T any](first, second func(context.Context, T)) func(context.Context, T) {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(ctx context.Context, event T) {
		first(ctx, event)
		second(ctx, event)
	}
}
