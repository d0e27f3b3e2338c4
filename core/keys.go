package core

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// keys are the published keys of a team. They decide, for each token, whether
// the last fetched keys serve or a fetch comes first. There is at most one
// fetch at a time, and requests wait for it together.
//
// What a request does depends on the time until due, when the next fetch is
// wanted: RefreshInterval after one that worked, a backoff after one that
// failed. Before due nothing is fetched. From due on, a fetch runs behind the
// request. RefreshInterval past due, nobody has come by for that long: the
// process was idle, its keys may be long withdrawn, and the request waits.
type keys struct {
	fetch    func(ctx context.Context, last *keySet) (*keySet, error)
	report   func(Fetch, time.Time) // called after each fetch, with the new due
	interval time.Duration          // Config.RefreshInterval
	maxStale time.Duration
	cooldown time.Duration
	timeout  time.Duration // of a fetch, and of a request's wait

	state atomic.Pointer[keysState] // stored with mu held

	mu            sync.Mutex // guards the fields below
	flight        *flight    // the fetch under way; nil if there is none
	cooldownUntil time.Time  // no fetch for an unknown key id before this
}

// keysState is what the last fetch left behind. It is immutable.
type keysState struct {
	set      *keySet   // the last good keys; nil until there are any
	fetched  time.Time // when the fetch of set began
	begun    time.Time // when the last fetch began
	due      time.Time // when the next is wanted; the zero time is long ago
	fresh    time.Time // before this set serves as it is; long ago if there is none
	failures int       // since the last good fetch
	err      error     // of the last fetch
}

// flight is a fetch under way.
type flight struct {
	reason string
	begun  time.Time
	done   chan struct{} // closed when the fetch has ended and its outcome is in state
	err    error         // readable once done is closed
}

func newKeys(cfg Config, fetch func(context.Context, *keySet) (*keySet, error), report func(Fetch, time.Time)) *keys {
	k := &keys{
		fetch:    fetch,
		report:   report,
		interval: cfg.RefreshInterval,
		maxStale: cfg.MaxStale,
		cooldown: cfg.RefetchCooldown,
		timeout:  cfg.FetchTimeout,
	}
	k.state.Store(&keysState{})
	return k
}

// current returns the keys if they serve as they are: nothing is to be fetched,
// nor waited for. Otherwise nil.
func (k *keys) current(arrived time.Time) *keySet {
	if state := k.state.Load(); arrived.Before(state.fresh) {
		return state.set
	}
	return nil
}

// find returns the published keys if the key id is among them. If it has to
// wait for a fetch, it waits FetchTimeout at most. The error is of class
// ErrUnknownKey or ErrKeysUnavailable. arrived is the time of the call.
func (k *keys) find(ctx context.Context, id string, arrived time.Time) (*keySet, error) {
	if set := k.current(arrived); set != nil && set.has(id) {
		return set, nil
	}
	var patience <-chan time.Time
	for {
		a := k.answer(id, arrived)
		if a.wait == nil {
			return a.set, a.err
		}
		if patience == nil {
			patience = time.After(k.timeout - time.Since(arrived))
		}
		select {
		case <-a.wait.done:
		case <-patience:
			return a.set, a.err
		case <-ctx.Done():
			return nil, &keysUnavailableError{cause: ctx.Err()}
		}
	}
}

// answer is what a request is told of the keys.
type answer struct {
	set  *keySet
	err  error
	wait *flight // if not nil, a fetch that may change the answer
}

// answer starts a fetch if one is due or called for, and says whether to wait.
func (k *keys) answer(id string, arrived time.Time) answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	state := k.state.Load()
	// A fetch that began after the token came has the last word.
	answered := !state.begun.Before(arrived)
	if k.flight == nil && !answered && !now.Before(state.due) {
		k.start(now, ReasonRefresh)
	}

	if !k.serves(state, now) {
		cause := state.err
		if cause == nil {
			cause = errors.New("they are being fetched")
		}
		return answer{err: &keysUnavailableError{cause, state.due.Sub(now)}, wait: k.flight}
	}
	if state.set.has(id) {
		if answered || now.Sub(state.due) < k.interval {
			return answer{set: state.set}
		}
		return answer{set: state.set, wait: k.flight}
	}

	unknown := answer{err: &unknownKeyError{id, state.err}}
	if answered {
		return unknown
	}
	if k.flight == nil && state.failures == 0 && !now.Before(k.cooldownUntil) {
		k.cooldownUntil = now.Add(k.cooldown)
		k.start(now, ReasonUnknownKid)
	}
	unknown.wait = k.flight
	return unknown
}

// serves reports whether the keys are good enough to judge a token by.
func (k *keys) serves(state *keysState, now time.Time) bool {
	return state.set != nil && now.Sub(state.fetched) <= k.maxStale
}

// grace is what refresh allows a fetch to end in, once its time is over. It
// tells a transport that needs a moment from one that is deaf to its context.
const grace = time.Second

// refresh fetches the keys, or joins a fetch that is under way.
func (k *keys) refresh(ctx context.Context) error {
	k.mu.Lock()
	if k.flight == nil {
		k.start(time.Now(), ReasonAsked)
	}
	f := k.flight
	k.mu.Unlock()
	select {
	case <-f.done:
	case <-time.After(k.timeout + grace):
		return &keysUnavailableError{cause: fmt.Errorf("the HTTPClient goes on after FetchTimeout: %w", context.DeadlineExceeded)}
	case <-ctx.Done():
		return &keysUnavailableError{cause: ctx.Err()}
	}
	if f.err != nil {
		return &keysUnavailableError{f.err, time.Until(k.state.Load().due)}
	}
	return nil
}

// start begins a fetch. mu is held, and no fetch is under way.
func (k *keys) start(now time.Time, reason string) {
	last := k.state.Load().set
	if last == nil && reason == ReasonRefresh {
		reason = ReasonFirst
	}
	f := &flight{reason: reason, begun: now, done: make(chan struct{})}
	k.flight = f
	// The fetch is everybody's: it has no request's context, whose end would
	// take it from the others, and whose values may not outlive the request.
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), k.timeout)
		defer cancel()
		set, err := k.fetch(ctx, last)
		k.land(f, set, err)
	}()
}

// land records the outcome of a fetch.
func (k *keys) land(f *flight, set *keySet, err error) {
	now := time.Now()
	next := &keysState{begun: f.begun, err: err}

	k.mu.Lock()
	last := k.state.Load()
	if err == nil {
		next.set, next.fetched, next.due = set, f.begun, f.begun.Add(k.interval)
	} else {
		next.set, next.fetched, next.failures = last.set, last.fetched, last.failures+1
		next.due = now.Add(backoff(next.failures))
		if last.failures > 0 && f.begun.Before(last.due) {
			// A Refresh out of turn: asking often must not put off the others.
			next.failures, next.due = last.failures, last.due
		}
	}
	next.fresh = next.due
	if stale := next.fetched.Add(k.maxStale); stale.Before(next.due) {
		next.fresh = stale // long ago if there are no keys
	}
	k.state.Store(next)
	k.flight = nil
	k.mu.Unlock()

	f.err = err
	event := Fetch{Reason: f.reason, Err: err, Duration: now.Sub(f.begun)}
	if err == nil {
		event.Keys = len(set.public)
	}
	k.report(event, next.due)
	close(f.done)
}

// backoff returns how long to wait after so many failures in a row: up to
// twice as long each time, from 1 to 60 seconds. It is random within a factor
// of two, so that a fleet of origins doesn't come back as one.
func backoff(failures int) time.Duration {
	const least, most = time.Second, time.Minute
	ceiling := most
	if failures < 6 {
		ceiling = min(most, 2*least<<(failures-1))
	}
	return ceiling/2 + rand.N(ceiling/2)
}
