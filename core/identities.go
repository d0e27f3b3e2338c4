package core

import (
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

const (
	identityPath       = "/cdn-cgi/access/get-identity"
	identityCacheBytes = 16 << 20
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
	logger  *slog.Logger
	report  func(Fetch)
	slots   chan struct{} // one for each fetch that may be under way
	entries *otter.Cache[string, *identityEntry]

	mu       sync.Mutex                 // guards the fields below
	flights  map[string]*identityFlight // by token
	failures int                        // in a row, of any token
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

// identityFlight is a fetch under way.
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
		cfg: cfg, logger: cfg.Logger, report: report, entries: entries,
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
	if entry := s.entry(*c.token); entry != nil && since(now, entry.due) < 0 {
		return s.answer(entry, now)
	}
	entry, flight, isOutage := s.start(c, now)
	known := entry.identity != nil && since(now, entry.fetched) <= s.cfg.IdentityMaxStale
	if flight == nil || known && (isOutage || since(now, entry.fetched) < 2*s.cfg.IdentityTTL) {
		return s.answer(entry, now)
	}
	select {
	case <-flight.done:
		return s.answer(flight.entry, time.Now())
	case <-time.After(s.cfg.FetchTimeout):
		return s.answer(entry, time.Now())
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: identity: %w", ErrPolicyUnavailable, ctx.Err())
	}
}

func (s *identities) entry(token string) *identityEntry {
	entry, _ := s.entries.GetIfPresent(cacheKey(token))
	if entry == nil || entry.token != token {
		return nil
	}
	return entry
}

// answer returns what an entry says at a time.
func (s *identities) answer(entry *identityEntry, now time.Time) (*Identity, error) {
	switch {
	case entry.identity != nil && since(now, entry.fetched) <= s.cfg.IdentityMaxStale:
		return entry.identity, nil
	case errors.Is(entry.err, ErrForbidden) && since(now, entry.due) < 0:
		return nil, entry.err
	case entry.err == nil || errors.Is(entry.err, ErrForbidden):
		return nil, fmt.Errorf("%w: identity: %w", ErrPolicyUnavailable, errNotAsked)
	default:
		return nil, fmt.Errorf("%w: identity: %w", ErrPolicyUnavailable, entry.err)
	}
}

// errNotAsked is why there is no identity where the last fetch doesn't say it.
var errNotAsked = errors.New("Access has not answered yet, or failed several times in a row")

// start returns what is known about a token, and the fetch that is under way for
// it, which it begins if one is due. There is none in an outage of Access, unless
// it is time to try again.
func (s *identities) start(c *Claims, now time.Time) (_ *identityEntry, _ *identityFlight, isOutage bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	isOutage = s.failures >= outageFailures
	last := s.entry(*c.token) // again: a fetch may have ended since
	if last == nil {
		last = &identityEntry{token: *c.token}
	}
	if flight := s.flights[last.token]; flight != nil {
		return last, flight, isOutage
	}
	if since(now, last.due) < 0 || isOutage && (since(now, s.retry) < 0 || len(s.flights) > 0) {
		return last, nil, isOutage
	}
	flight := &identityFlight{done: make(chan struct{})}
	s.flights[last.token] = flight
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.cfg.FetchTimeout)
		defer cancel()
		identity, retryAfter, err := s.fetch(ctx, c)
		s.land(flight, last, now, identity, retryAfter, err)
	}()
	return last, flight, isOutage
}

// land records the outcome of a fetch.
func (s *identities) land(flight *identityFlight, last *identityEntry, began time.Time, identity *Identity, retryAfter time.Duration, err error) {
	now := time.Now()
	next := &identityEntry{token: last.token, err: err}
	isAnswer := err == nil || errors.Is(err, ErrForbidden)
	switch {
	case err == nil:
		next.identity, next.fetched, next.due = identity, began, began.Add(s.cfg.IdentityTTL)
	case isAnswer:
		next.due = now.Add(deniedFor)
	default:
		next.identity, next.fetched, next.failures = last.identity, last.fetched, last.failures+1
		next.due = now.Add(max(backoff(next.failures), retryAfter))
	}
	s.entries.Set(cacheKey(next.token), next)

	s.mu.Lock()
	delete(s.flights, next.token)
	before := s.failures
	if s.failures++; isAnswer {
		s.failures = 0
	}
	if s.failures >= outageFailures {
		s.retry = now.Add(max(backoff(s.failures-outageFailures+1), retryAfter))
	}
	failures := s.failures
	s.mu.Unlock()

	if failures == 1 || failures == outageFailures {
		s.logger.Warn("cfaccess: fetching an identity failed", slog.Any("error", err), slog.Bool("outage", failures == outageFailures))
	} else if failures == 0 && before >= outageFailures {
		s.logger.Info("cfaccess: identities can be fetched again")
	}
	s.report(Fetch{Reason: ReasonIdentity, Err: err, Duration: now.Sub(began)})
	flight.entry = next
	close(flight.done)
}

// fetch asks Access for the identity behind claims. The error matches
// ErrForbidden where Access says no.
func (s *identities) fetch(ctx context.Context, c *Claims) (_ *Identity, retryAfter time.Duration, err error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, 0, fmt.Errorf("%d fetches are under way: %w", identityFetches, ctx.Err())
	}
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
	switch {
	case status == http.StatusOK && mediaType == "application/json":
		identity, err := decodeIdentity(body)
		switch {
		case err != nil:
			return nil, 0, fmt.Errorf("GET %s: %w", url, err)
		case !identity.isOf(c):
			return nil, 0, fmt.Errorf("%w: Access answers with the identity of another person", ErrForbidden)
		}
		return identity, 0, nil
	case status/100 == 4 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout && mediaType == "application/json":
		var refusal struct {
			Err string `json:"err"`
		}
		if json.Unmarshal(body, &refusal) == nil && refusal.Err != "" {
			return nil, 0, fmt.Errorf("%w: Access has no identity for the token: status %d, %.100q", ErrForbidden, status, refusal.Err)
		}
	}
	if seconds, err := strconv.Atoi(header.Get("Retry-After")); err == nil && seconds > 0 {
		retryAfter = min(time.Duration(seconds)*time.Second, s.cfg.IdentityMaxStale)
	}
	return nil, retryAfter, fmt.Errorf("GET %s: status %d, %s", url, status, mediaType)
}
