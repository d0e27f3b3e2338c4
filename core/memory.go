package core

import (
	"context"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"
)

// memory holds verified tokens. It is safe for concurrent use. Nil remembers
// nothing.
//
// The key is the whole token: a digest would cost more to make, and could be
// collided with. Strangers can't fill it, since a token enters by verifying.
type memory struct {
	tokens *otter.Cache[string, *remembered]
}

// remembered is a token that verified once, and what must hold of it still.
type remembered struct {
	claims *Claims
	keyID  string
	set    *keySet   // the keys that verified it; those that are published now may be others
	from   time.Time // valid from then on, leeway included
	until  time.Time // and until before then
}

// newMemory returns a memory of up to size tokens.
func newMemory(size int) (*memory, error) {
	if size < 0 {
		return nil, nil
	}
	tokens, err := otter.New(&otter.Options[string, *remembered]{
		MaximumSize: size,
		// Upkeep runs on the goroutine of the request that causes it: nothing
		// is left to run when the verifier isn't used any more.
		Executor: func(task func()) { task() },
	})
	if err != nil {
		return nil, fmt.Errorf("cfaccess: Config.TokenCacheSize: %w", err)
	}
	return &memory{tokens}, nil
}

func (m *memory) find(token string) *remembered {
	if m == nil {
		return nil
	}
	r, _ := m.tokens.GetIfPresent(token)
	return r
}

// learn returns what judge says of a token that isn't remembered, and remembers
// it unless that is an error. Requests that bring the same token meanwhile wait
// for the one answer. The token's memory is kept: it must be the verifier's own.
func (m *memory) learn(token string, judge func() (*remembered, error)) (*remembered, error) {
	if m == nil {
		return judge()
	}
	// No request's context: its end would not shorten the work, and would spoil
	// the answer for the others.
	return m.tokens.Get(context.Background(), token, otter.LoaderFunc[string, *remembered](
		func(context.Context, string) (*remembered, error) { return judge() },
	))
}

// forget drops a token that will not be good again, or not by the same key.
func (m *memory) forget(token string) {
	m.tokens.Invalidate(token)
}

// newRemembered returns the memory of claims that verified with a key of the set.
func newRemembered(claims *Claims, keyID string, set *keySet, leeway time.Duration) *remembered {
	r := &remembered{claims: claims, keyID: keyID, set: set, until: claims.ExpiresAt.Add(leeway)}
	if claims.NotBefore != nil {
		r.from = claims.NotBefore.Add(-leeway)
	}
	if claims.IssuedAt != nil && claims.IssuedAt.Add(-leeway).After(r.from) {
		r.from = claims.IssuedAt.Add(-leeway)
	}
	return r
}

// check repeats what the passing of time can change of a token's checks.
func (r *remembered) check(now time.Time) error {
	switch {
	case !now.Before(r.until):
		return fmt.Errorf("%w: remembered, exp was %v", ErrExpired, r.claims.ExpiresAt)
	case now.Before(r.from):
		return fmt.Errorf("%w: remembered, the clock went back", ErrNotYetValid)
	default:
		return nil
	}
}
