package core

import (
	"context"
	"time"
)

// Hooks are callbacks for metrics and tracing. The zero value has none and
// costs nothing. They may be called from several goroutines at once.
//
// A hook runs in the way of the request or the fetch that it reports: one that
// blocks delays it. One that panics is the caller's panic in Verified; in
// Fetched it ends the process, since a fetch has a goroutine of its own. Hooks
// see claims and error texts, which are not for clients.
type Hooks struct {
	// Verified is called at the end of every Verify, also of those that
	// Authenticate and Admit make. It does not see a request without a token,
	// or with several headers, and sees success where a policy then refuses.
	// ctx is the caller's.
	Verified func(ctx context.Context, e Verification)
	// Fetched is called at the end of every certs fetch, before those who
	// wait for it go on. ctx is the fetch's own, not a request's.
	Fetched func(ctx context.Context, e Fetch)
}

// Verification reports one Verify. Either Claims or Err is nil.
type Verification struct {
	Claims     *Claims
	Err        error
	Remembered bool          // answered from the memory of verified tokens, no signature checked
	Duration   time.Duration // since the call; for a cookie, since the first one was tried
}

// Fetch reports one certs fetch.
type Fetch struct {
	Reason   string // one of the Reason constants
	Keys     int    // usable keys in the document; 0 if Err is set
	Err      error  // why the fetch failed; the last good keys stay in use
	Duration time.Duration
}

// The reasons for a certs fetch.
const (
	ReasonFirst      = "first"       // no keys were known yet
	ReasonRefresh    = "refresh"     // the keys were older than RefreshInterval, or the last fetch failed
	ReasonUnknownKid = "unknown kid" // a token named a key id that isn't known
	ReasonAsked      = "asked"       // Refresh was called
)
