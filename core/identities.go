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

const identityPath = "/cdn-cgi/access/get-identity"

// The memory for identities, and how much of it one may take.
const identityCacheBytes, maxIdentity = 16 << 20, 4 << 20

const (
	// identityFetches are under way at a time at most, and outageFailures in a
	// row stand for an outage of Access: then there is one attempt at a time,
	// with backoff. docs/operations.md has the measurements behind both.
	identityFetches = 32
	outageFailures  = 3
	// deniedFor is how long Access's refusal of a token is remembered, so that
	// a refused caller can't drive fetches.
	deniedFor = 10 * time.Second
)

// identities asks Access who the people behind verified tokens are, and caches
// the answers. It is safe for concurrent use.
type identities struct {
	cfg     Config // resolved
	report  func(Fetch)
	entries *otter.Cache[string, *identityEntry]
	slots   chan struct{} // one for each fetch under way

	mu       sync.Mutex                 // guards the fields below
	flights  map[string]*identityFlight // by token
	failures int                        // in a row, of different tokens
	err      error                      // why the last of them failed
	retry    time.Time                  // in an outage, when the next fetch may start
}

// identityEntry is what the fetches for a token so far have left behind. It is
// immutable.
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
	entry *identityEntry // what came of it
}

func newIdentities(cfg Config, report func(Fetch)) (*identities, error) {
	entries, err := otter.New(&otter.Options[string, *identityEntry]{
		MaximumWeight: identityCacheBytes,
		Weigher: func(_ string, e *identityEntry) uint32 {
			weight := entryBytes + len(e.token)
			if e.identity != nil {
				weight += e.identity.weigh()
			}
			return uint32(weight)
		},
		Executor: func(task func()) { task() },
	})
	if err != nil {
		return nil, fmt.Errorf("cfaccess: %w", err)
	}
	return &identities{
		cfg: cfg, report: report, entries: entries,
		slots: make(chan struct{}, identityFetches), flights: make(map[string]*identityFlight),
	}, nil
}

// get returns the identity behind verified claims.
func (s *identities) get(ctx context.Context, c *Claims) (*Identity, error) {
	now := time.Now()
	if since(now, c.ExpiresAt.Time) >= s.cfg.Leeway {
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

// entry returns what is known about a token, nil if that is nothing.
func (s *identities) entry(token string) *identityEntry {
	entry, _ := s.entries.GetIfPresent(cacheKey(token))
	if entry == nil || entry.token != token {
		return nil
	}
	return entry
}

func (s *identities) isUsable(entry *identityEntry, now time.Time) bool {
	return entry.identity != nil && since(now, entry.fetched) <= s.cfg.IdentityMaxStale
}

// renew returns what is known about a token. If a fetch is due it starts one,
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
	// A session that nobody has used for a while: its groups may be long gone.
	isIdle := !isOutage && since(now, entry.due) >= s.cfg.IdentityTTL
	mustWait := isIdle || !s.isUsable(entry, now)
	flight := s.flights[entry.token]
	switch {
	case flight != nil:
	case isOutage && (since(now, s.retry) < 0 || len(s.flights) > 0):
		// It is not this token's turn to find out whether the outage is over.
		later := *entry
		later.err, later.due = s.err, now.Add(max(s.retry.Sub(now), backoff(1)))
		s.entries.Set(cacheKey(later.token), &later)
		return &later, nil
	case !mustWait && len(s.flights) >= identityFetches:
		return entry, nil // one of the next requests renews it
	default:
		flight = s.start(c, entry)
	}
	if !mustWait {
		return entry, nil
	}
	return entry, flight
}

// errBusy is why there is no identity though Access has not failed.
var errBusy = fmt.Errorf("%d fetches are under way", identityFetches)

// start begins a fetch, or has it wait for a slot. mu is held.
func (s *identities) start(c *Claims, last *identityEntry) *identityFlight {
	flight := &identityFlight{done: make(chan struct{})}
	s.flights[last.token] = flight
	go func() {
		next := *last
		select {
		case s.slots <- struct{}{}:
			next = s.fetch(c, last)
			<-s.slots
		case <-time.After(s.cfg.FetchTimeout):
			next.err = errBusy
		}
		s.mu.Lock()
		delete(s.flights, last.token)
		s.mu.Unlock()
		flight.entry = &next
		close(flight.done)
	}()
	return flight
}

// fetch asks Access once, and returns and caches what is known then.
func (s *identities) fetch(c *Claims, last *identityEntry) identityEntry {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.FetchTimeout)
	defer cancel()
	began := time.Now()
	identity, retryAfter, err := s.ask(ctx, c)
	now := time.Now()
	next := identityEntry{token: last.token, err: err}
	switch {
	case err == nil:
		next.identity, next.fetched, next.due = identity, began, began.Add(s.cfg.IdentityTTL)
	case errors.Is(err, ErrForbidden):
		next.due = now.Add(deniedFor)
	default:
		next.identity, next.fetched, next.failures = last.identity, last.fetched, last.failures+1
		next.due = now.Add(max(backoff(next.failures), retryAfter))
	}
	s.entries.Set(cacheKey(next.token), &next)
	s.count(next.failures, retryAfter, err)
	s.report(Fetch{Reason: ReasonIdentity, Err: err, Duration: now.Sub(began)})
	return next
}

// count notices that an outage of Access begins or is over. failures are those
// of the token that was fetched last, in a row.
func (s *identities) count(failures int, retryAfter time.Duration, err error) {
	s.mu.Lock()
	wasOutage := s.failures >= outageFailures
	switch {
	case failures == 0:
		s.failures = 0
	case failures == 1 || wasOutage: // one token may fail for a reason of its own
		s.failures++
		s.err, s.retry = err, time.Now().Add(max(backoff(max(1, s.failures-outageFailures)), retryAfter))
	}
	isOutage := s.failures >= outageFailures
	s.mu.Unlock()
	switch {
	case failures == 1 && !wasOutage:
		s.cfg.Logger.Warn("cfaccess: fetching an identity failed", slog.Any("error", err), slog.Bool("outage", isOutage))
	case wasOutage && !isOutage:
		s.cfg.Logger.Info("cfaccess: identities can be fetched again")
	}
}

// ask asks Access for the identity behind claims. The error matches ErrForbidden
// where Access says no.
func (s *identities) ask(ctx context.Context, c *Claims) (_ *Identity, retryAfter time.Duration, err error) {
	url := s.cfg.Endpoint + identityPath
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, err
	}
	request.AddCookie(&http.Cookie{Name: TokenCookie, Value: *c.token})
	status, header, body, err := do(s.cfg.HTTPClient, request)
	if err != nil {
		return nil, 0, fmt.Errorf("GET %s: %w", url, err)
	}
	mediaType, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	isJSON := mediaType == "application/json"
	switch {
	case status == http.StatusOK && isJSON:
		identity, err := decodeIdentity(body)
		if err != nil {
			return nil, 0, fmt.Errorf("GET %s: %w", url, err)
		}
		if !identity.isOf(c) {
			return nil, 0, fmt.Errorf("%w: Access answers with the identity of another person", ErrForbidden)
		}
		return identity, 0, nil
	case status/100 == 4 && status != http.StatusTooManyRequests && isJSON:
		var refusal struct {
			Err string `json:"err"`
		}
		if json.Unmarshal(body, &refusal) == nil && refusal.Err != "" {
			return nil, 0, fmt.Errorf("%w: Access has no identity for the token: status %d, %.100q", ErrForbidden, status, refusal.Err)
		}
	}
	if seconds, err := strconv.Atoi(header.Get("Retry-After")); err == nil {
		retryAfter = min(time.Duration(seconds)*time.Second, s.cfg.IdentityTTL) // longer would prolong an outage
	}
	return nil, retryAfter, fmt.Errorf("GET %s: status %d, %s", url, status, mediaType)
}
