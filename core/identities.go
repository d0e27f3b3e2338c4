package core

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
)

// The memory for identities, and how much of it one may take.
const identityCacheBytes, maxIdentity = 16 << 20, 4 << 20

const (
	// identityFetches are under way at a time at most, and outageFailures in a
	// row stand for an outage of Access: then there is one attempt at a time,
	// with backoff. docs/operations.md has the measurements behind both.
	identityFetches = 16
	outageFailures  = 3
	// deniedFor is how long a refusal is remembered: it must not cause many fetches.
	deniedFor = 10 * time.Second
)

// identities asks Access who the people behind verified tokens are, and caches
// the answers. It is safe for concurrent use.
type identities struct {
	cfg     Config // resolved
	entries *otter.Cache[string, *identityEntry]
	slots   chan struct{} // one for each fetch under way

	mu       sync.Mutex                 // guards the fields below
	flights  map[string]*identityFlight // by token
	failures int                        // in a row, of different tokens
	err      error                      // why the last of them failed
	retry    time.Time                  // in an outage, when the next fetch may start
}

// identityEntry is the result of the fetches for a token so far. Immutable.
type identityEntry struct {
	token    string
	identity *Identity // the last one; nil if Access refuses the token, or there is none yet
	fetched  time.Time // when the fetch of identity began
	err      error     // why the last fetch failed; nil if it didn't
	failures int       // in a row
	due      time.Time // when the next fetch may start
}

// identityFlight is a fetch under way, or one that waits for a slot.
type identityFlight struct {
	done  chan struct{}  // closed when entry is set
	entry *identityEntry // the result
}

func newIdentities(cfg Config) *identities {
	return &identities{
		cfg: cfg, entries: newEntries[*identityEntry](identityCacheBytes),
		slots: make(chan struct{}, identityFetches), flights: make(map[string]*identityFlight),
	}
}

func (e *identityEntry) weigh() uint32 {
	weight := entryBytes + len(e.token)
	if e.identity != nil {
		weight += e.identity.weigh()
	}
	return uint32(weight)
}

// get returns the identity behind verified claims.
func (s *identities) get(ctx context.Context, c *Claims) (*Identity, error) {
	now := time.Now()
	if now.Sub(c.ExpiresAt.Time) >= s.cfg.Leeway {
		s.entries.Invalidate(cacheKey(*c.token))
		return nil, fmt.Errorf("%w: the token has expired", ErrForbidden)
	}
	entry := s.entry(*c.token)
	if entry == nil || since(now, entry.due) >= 0 {
		var wait *identityFlight
		if entry, wait = s.renew(c, now); wait != nil {
			select {
			case <-wait.done:
				entry = wait.entry
			case <-time.After(s.cfg.FetchTimeout):
			case <-ctx.Done():
				return nil, fmt.Errorf("%w: identity: %w", ErrPolicyUnavailable, ctx.Err())
			}
			now = time.Now()
		}
	}
	switch {
	case s.isUsable(entry, now):
		return entry.identity, nil
	case errors.Is(entry.err, ErrForbidden):
		return nil, entry.err
	default:
		return nil, fmt.Errorf("%w: identity: %w", ErrPolicyUnavailable, cmp.Or(entry.err, errFetching))
	}
}

// entry returns the cached entry of a token, or nil.
func (s *identities) entry(token string) *identityEntry {
	if entry, ok := s.entries.GetIfPresent(cacheKey(token)); ok && entry.token == token {
		return entry
	}
	return nil
}

func (s *identities) isUsable(entry *identityEntry, now time.Time) bool {
	return entry.identity != nil && since(now, entry.fetched) <= s.cfg.IdentityMaxStale
}

// renew returns the entry of a token. If a fetch is due it starts one,
// and if the request has to wait for that, it returns the fetch too.
func (s *identities) renew(c *Claims, now time.Time) (entry *identityEntry, wait *identityFlight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry = s.entry(*c.token)
	switch {
	case entry == nil, since(now, entry.due) >= 0 && errors.Is(entry.err, ErrForbidden):
		entry = &identityEntry{token: *c.token}
	case since(now, entry.due) < 0: // a fetch has ended since
		return entry, nil
	}
	isOutage := s.failures >= outageFailures
	// The session was not used for a while, so its groups may be out of date.
	isIdle := !isOutage && since(now, entry.due) >= s.cfg.IdentityTTL
	mustWait := isIdle || !s.isUsable(entry, now)
	flight := s.flights[entry.token]
	switch {
	case flight != nil:
	case isOutage && (since(now, s.retry) < 0 || len(s.flights) > 0), !mustWait && len(s.flights) >= identityFetches:
		// It is not this token's turn. A later due keeps its requests from
		// coming here again at once, and the session from counting as idle.
		later := *entry
		later.err, later.due = s.err, now.Add(max(s.retry.Sub(now), backoff(1)))
		s.entries.Set(cacheKey(later.token), &later)
		return &later, nil
	default:
		flight = s.start(c, entry)
	}
	if mustWait {
		wait = flight
	}
	return entry, wait
}

// start begins a fetch, which may wait for a slot first. mu is held.
func (s *identities) start(c *Claims, last *identityEntry) *identityFlight {
	flight := &identityFlight{done: make(chan struct{})}
	s.flights[last.token] = flight
	go func() {
		entry := *last
		select {
		case s.slots <- struct{}{}:
			entry = s.fetch(c, last)
			<-s.slots
		case <-time.After(s.cfg.FetchTimeout):
			entry.err = fmt.Errorf("%d fetches are under way", identityFetches)
		}
		s.mu.Lock()
		delete(s.flights, last.token)
		s.mu.Unlock()
		flight.entry = &entry
		close(flight.done)
	}()
	return flight
}

// fetch asks Access once. It caches and returns the new entry.
func (s *identities) fetch(c *Claims, last *identityEntry) identityEntry {
	began := time.Now()
	identity, retryAfter, err := s.ask(c)
	now := time.Now()
	entry := identityEntry{token: last.token, err: err}
	switch {
	case err == nil:
		entry.identity, entry.fetched, entry.due = identity, began, began.Add(s.cfg.IdentityTTL)
	case errors.Is(err, ErrForbidden):
		entry.due = now.Add(deniedFor)
	default:
		entry.identity, entry.fetched, entry.failures = last.identity, last.fetched, last.failures+1
		entry.due = now.Add(max(backoff(entry.failures), retryAfter))
	}
	s.entries.Set(cacheKey(entry.token), &entry)

	s.mu.Lock()
	// One token may fail for a reason of its own.
	isNews := entry.failures == 1 || entry.failures > 1 && s.failures >= outageFailures
	if entry.failures == 0 {
		s.failures = 0
	} else if isNews {
		s.failures++
		s.err, s.retry = err, now.Add(max(backoff(max(1, s.failures-outageFailures+1)), retryAfter))
	}
	s.mu.Unlock()
	if isNews {
		s.cfg.Logger.Warn("cfaccess: fetching an identity failed", slog.Any("error", err))
	}
	if fetched := s.cfg.Hooks.Fetched; fetched != nil {
		fetched(context.Background(), Fetch{Reason: ReasonIdentity, Err: err, Duration: now.Sub(began)})
	}
	return entry
}

// ask asks Access once. The error matches ErrForbidden if Access refuses the token.
func (s *identities) ask(c *Claims) (_ *Identity, retryAfter time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.FetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.cfg.Endpoint+identityPath, nil)
	if err != nil {
		return nil, 0, err
	}
	request.AddCookie(&http.Cookie{Name: TokenCookie, Value: *c.token})
	status, header, body, err := do(s.cfg.HTTPClient, request)
	if err != nil {
		return nil, 0, err
	}
	var refusal struct{ Err string }
	mediaType, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	isJSON := mediaType == "application/json"
	switch {
	case isJSON && status == http.StatusOK:
		identity, err := decodeIdentity(body, c)
		return identity, 0, err
	case isJSON && status/100 == 4 && status != http.StatusTooManyRequests && json.Unmarshal(body, &refusal) == nil && refusal.Err != "":
		return nil, 0, fmt.Errorf("%w: Access has no identity for the token: status %d, %.100q", ErrForbidden, status, refusal.Err)
	}
	seconds, _ := strconv.Atoi(header.Get("Retry-After"))
	retryAfter = min(time.Duration(seconds)*time.Second, s.cfg.IdentityTTL) // more could outlast the outage
	return nil, retryAfter, fmt.Errorf("GET %s: status %d, %q", request.URL, status, mediaType)
}
