package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/MicahParks/jwkset"
)

// keys are the published keys of a team, as keyfunc's storage. KeyRead decides
// for each token whether the last fetched keys suffice or a fetch comes first.
// There is at most one fetch at a time, and requests wait for it together.
type keys struct {
	jwkset.Storage // empty: the methods besides KeyRead find no key

	cfg    Config // resolved
	issuer string
	report func(e Fetch, last, next *keysState) // called after each fetch

	state atomic.Pointer[keysState] // stored with mu held

	mu            sync.Mutex // guards the fields below
	flight        *flight    // the fetch under way; nil if there is none
	cooldownUntil time.Time  // no fetch for an unknown key id before this
}

// keysState is the result of the fetches so far. It is immutable.
type keysState struct {
	set      *keySet   // the last good keys; empty until there are any
	fetched  time.Time // when the fetch of set began
	begun    time.Time // when the last fetch began, good or bad
	err      error     // why the last fetch failed; nil if it didn't
	failures int       // since the last good fetch
	due      time.Time // when the next fetch is wanted
	fresh    time.Time // before this the set is used without a look at the rest
}

// flight is a fetch under way.
type flight struct {
	reason string
	begun  time.Time
	done   chan struct{} // closed when the outcome is in state
	err    error         // readable once done is closed
}

// lookup is what KeyRead needs besides the token's key id, and what it leaves for
// the caller of keyfunc. It is passed through keyfunc in the context.
type lookup struct {
	arrived time.Time // when the request came
	payload unverified
	scanned bool // payload.issuer was called

	keyID string
	jwk   *jwkset.JWK // published under keyID
}

type lookupKey struct{}

func newKeys(cfg Config, issuer string, report func(e Fetch, last, next *keysState)) *keys {
	k := &keys{Storage: jwkset.NewMemoryStorage(), cfg: cfg, issuer: issuer, report: report}
	k.state.Store(&keysState{set: &keySet{}})
	return k
}

// KeyRead implements jwkset.Storage.
func (k *keys) KeyRead(ctx context.Context, id string) (jwkset.JWK, error) {
	request := ctx.Value(lookupKey{}).(*lookup)
	jwk, err := k.find(ctx, id, request)
	if err != nil {
		return jwkset.JWK{}, &keyError{err}
	}
	request.keyID, request.jwk = id, jwk
	return *jwk, nil
}

// fresh returns the keys if no fetch has to start or end first, and nil otherwise.
func (k *keys) fresh(now time.Time) *keySet {
	state := k.state.Load()
	if now.Before(state.fresh) && now.Round(0).Before(state.fresh.Round(0)) { // as since, but quicker
		return state.set
	}
	return nil
}

// find returns the published key of that id. It waits until arrived + FetchTimeout
// at most. The error is of class ErrUnknownKey or ErrKeysUnavailable.
func (k *keys) find(ctx context.Context, id string, request *lookup) (*jwkset.JWK, error) {
	if set := k.fresh(request.arrived); set != nil && set.keys[id] != nil {
		return set.keys[id], nil
	}
	var timeout <-chan time.Time
	for isLate := false; ; {
		jwk, wait, err := k.decide(id, request)
		switch {
		case err == errUnscanned:
			request.payload.issuer() // not in decide, which holds a lock
			request.scanned = true
			continue
		case wait == nil || isLate:
			return jwk, err
		case timeout == nil:
			timeout = time.After(k.cfg.FetchTimeout - time.Since(request.arrived))
		}
		select {
		case <-wait.done:
		case <-timeout:
			isLate = true // but the fetch may have ended, and its report not
		case <-ctx.Done():
			return nil, &keysUnavailableError{cause: ctx.Err()}
		}
	}
}

// decide returns the result of a key lookup, and the fetch that may change it,
// for which the request waits. It starts a fetch that is due.
func (k *keys) decide(id string, request *lookup) (_ *jwkset.JWK, wait *flight, _ error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, state := time.Now(), k.state.Load()
	jwk := state.set.keys[id]
	overdue := since(now, state.due)
	// The request waits no longer once a fetch has ended that began after it came.
	answered := !state.begun.Before(request.arrived)
	if overdue >= 0 && !answered {
		k.start(now, ReasonRefresh)
	}

	switch {
	case len(state.set.keys) == 0 || // the first token ever
		since(now, state.fetched) > k.cfg.MaxStale:
		return nil, k.flight, &keysUnavailableError{cmp.Or(state.err, errFetching), -overdue}
	case jwk == nil:
		mayFetch := k.flight != nil || state.failures == 0 && since(now, k.cooldownUntil) >= 0
		if !answered && mayFetch && !request.scanned {
			return nil, nil, errUnscanned
		}
		unknown := &unknownKeyError{id, k.issuer, &request.payload, state.err}
		switch {
		case answered, !mayFetch, !unknown.mayBeOurs():
			return nil, nil, unknown
		case k.flight == nil:
			k.cooldownUntil = now.Add(k.cfg.RefetchCooldown)
			k.start(now, ReasonUnknownKid)
		}
		unknown.fetchErr = cmp.Or(state.err, errFetching)
		return nil, k.flight, unknown
	case overdue >= k.cfg.RefreshInterval && !answered: // an idle process: the keys may be long withdrawn
		return jwk, k.flight, nil
	default: // younger than RefreshInterval, or a fetch runs in the background
		return jwk, nil, nil
	}
}

var (
	// errFetching is the reason for unknown newer keys while a fetch is under way.
	errFetching = errors.New("a fetch is under way")
	// errUnscanned is decide's if it needs the issuer that the payload names.
	errUnscanned = errors.New("payload not scanned")
)

// refresh returns after a fetch that began after the call.
func (k *keys) refresh(ctx context.Context) error {
	called := time.Now()
	for {
		k.mu.Lock()
		k.start(time.Now(), ReasonAsked)
		f := k.flight
		k.mu.Unlock()
		select {
		case <-f.done:
		case <-time.After(k.cfg.FetchTimeout + time.Second): // a transport may need a moment to end
			return &keysUnavailableError{cause: fmt.Errorf("the HTTPClient goes on after FetchTimeout: %w", context.DeadlineExceeded)}
		case <-ctx.Done():
			return &keysUnavailableError{cause: ctx.Err()}
		}
		switch {
		case f.begun.Before(called): // it may have read the keys of before
		case f.err != nil:
			return &keysUnavailableError{f.err, time.Until(k.state.Load().due)}
		default:
			return nil
		}
	}
}

// start begins a fetch unless one is under way. mu is held.
func (k *keys) start(now time.Time, reason string) {
	if k.flight != nil {
		return
	}
	last := k.state.Load().set
	if len(last.keys) == 0 && reason == ReasonRefresh {
		reason = ReasonFirst
	}
	f := &flight{reason: reason, begun: now, done: make(chan struct{})}
	k.flight = f
	// The fetch is for every request, so it has no request's context: the end of
	// one would cancel the fetch for the others.
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), k.cfg.FetchTimeout)
		defer cancel()
		set, err := fetchCerts(ctx, k.cfg.HTTPClient, k.cfg.Endpoint+certsPath, last)
		k.land(f, set, err)
	}()
}

// land records the outcome of a fetch.
func (k *keys) land(f *flight, set *keySet, err error) {
	now := time.Now()
	k.mu.Lock()
	last := k.state.Load()
	next := &keysState{begun: f.begun, err: err}
	if err == nil {
		next.set, next.fetched, next.due = set, f.begun, f.begun.Add(k.cfg.RefreshInterval)
	} else {
		next.set, next.fetched, next.failures = last.set, last.fetched, last.failures+1
		next.due = now.Add(backoff(next.failures))
		if last.failures > 0 && f.begun.Before(last.due) {
			// A Refresh between retries: frequent calls must not delay the retries.
			next.failures, next.due = last.failures, last.due
		}
	}
	next.fresh = next.due
	if stale := next.fetched.Add(k.cfg.MaxStale); stale.Before(next.due) {
		next.fresh = stale // long ago if there are no keys
	}
	k.state.Store(next)
	k.flight = nil
	k.mu.Unlock()

	f.err = err
	event := Fetch{Reason: f.reason, Err: err, Duration: now.Sub(f.begun)}
	if err == nil {
		event.Keys = len(set.keys)
	}
	k.report(event, last, next)
	close(f.done)
}

// since returns the time from then to now, by the clock that shows more: the
// monotonic clock stops while the machine is suspended.
func since(now, then time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}

// backoff returns the delay after so many failures in a row: up to twice as
// long each time, from 1 to 60 seconds. It is random within a factor
// of two, so that the origins of a fleet don't retry at the same time.
func backoff(failures int) time.Duration {
	ceiling := min(time.Minute, time.Second<<min(failures, 6))
	return ceiling/2 + rand.N(ceiling/2)
}
