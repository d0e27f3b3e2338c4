package core

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// certsPath is where a team publishes its keys.
const certsPath = "/cdn-cgi/access/certs"

// A Verifier decides whether a token is good. Make one with [New] for the life
// of the process. It is safe for concurrent use. It needs no closing: it owns
// no goroutine but a fetch under way.
type Verifier struct {
	issuer    string
	leeway    time.Duration
	logger    *slog.Logger
	hooks     Hooks
	keys      *keys
	memory    *memory
	headers   headerMemory
	validator *jwt.Validator
}

// New returns a Verifier for the tokens that cfg describes, or an error that
// names the field with a bad value. It does no network I/O: the keys are
// fetched when they are first needed, or by [Verifier.Refresh].
func New(cfg Config) (*Verifier, error) {
	issuer, err := parseTeam(cfg.Team)
	if err != nil {
		return nil, fmt.Errorf("cfaccess: Config.Team: %w", err)
	}
	endpoint := issuer
	if cfg.Endpoint != "" {
		if endpoint, err = parseEndpoint(cfg.Endpoint); err != nil {
			return nil, fmt.Errorf("cfaccess: Config.Endpoint: %w", err)
		}
	}
	if cfg, err = cfg.resolve(); err != nil {
		return nil, err
	}
	memory, err := newMemory(cfg.TokenCacheSize)
	if err != nil {
		return nil, err
	}
	v := &Verifier{
		issuer:    issuer,
		leeway:    cfg.Leeway,
		logger:    cfg.Logger,
		hooks:     cfg.Hooks,
		memory:    memory,
		validator: newValidator(issuer, cfg.Audiences, cfg.Leeway),
	}
	v.keys = newKeys(cfg, func(ctx context.Context, last *keySet) (*keySet, error) {
		return fetchCerts(ctx, cfg.HTTPClient, endpoint+certsPath, last)
	}, v.fetched)
	return v, nil
}

// Issuer returns the issuer that tokens must name: the team's URL without a
// trailing slash, such as "https://acme.cloudflareaccess.com".
func (v *Verifier) Issuer() string { return v.issuer }

// Refresh fetches the team's keys now, or waits for a fetch that is under way.
// Call it at start to find a mistyped team before the first user does. Each call
// is a fetch: keep it from strangers. It takes FetchTimeout at most, and a second
// more where Config.HTTPClient doesn't end in time. The error matches
// ErrKeysUnavailable, and its text says what failed; keys that were fetched
// before stay in use.
func (v *Verifier) Refresh(ctx context.Context) error {
	return v.keys.refresh(ctx)
}

// Verify returns the claims of a good token: signed with a key that the team
// publishes, by this issuer, for one of the audiences, of type "app", and in
// its time. It does not keep the memory behind token.
//
// It waits for a fetch of the keys only if it can't do without, and then
// FetchTimeout at most. If ctx ends first, the error matches ctx.Err() and
// ErrKeysUnavailable. Every error but ErrNoToken and ErrForbidden may occur.
func (v *Verifier) Verify(ctx context.Context, token string) (*Claims, error) {
	return v.verifySince(ctx, token, time.Now())
}

// verifySince is Verify for a request that arrived at that time: however many
// tokens it brings, it waits for keys only once.
func (v *Verifier) verifySince(ctx context.Context, token string, arrived time.Time) (*Claims, error) {
	claims, isRemembered, err := v.verify(ctx, token, arrived)
	if err != nil {
		err = v.refused(ctx, err)
	}
	if v.hooks.Verified != nil {
		v.hooks.Verified(ctx, Verification{claims, err, isRemembered, time.Since(arrived)})
	}
	return claims, err
}

func (v *Verifier) verify(ctx context.Context, token string, arrived time.Time) (_ *Claims, isRemembered bool, err error) {
	if len(token) > maxToken { // before its hash is made, too
		return nil, false, fmt.Errorf("%w: %d bytes", ErrMalformed, len(token))
	}
	known := v.memory.find(token)
	if known != nil && known.set == v.keys.current(arrived) {
		return v.recall(token, known, arrived) // the keys are those that it was verified with
	}
	var keyID string
	if known != nil {
		keyID = known.keyID
	} else if keyID, err = v.headers.keyID(token); err != nil {
		return nil, false, err
	}

	set, err := v.keys.find(ctx, keyID, arrived)
	if err != nil {
		return nil, false, err
	}
	if known != nil && known.set.public[keyID] == set.public[keyID] {
		return v.recall(token, known, arrived)
	}
	if known != nil {
		v.memory.forget(token) // another key has the key id now
	}
	// From here on the token is kept: in the claims, in the memory.
	u, err := parse(strings.Clone(token))
	if err != nil {
		return nil, false, err
	}
	judge := func() (*remembered, error) { return v.judge(u, keyID, set) }
	known, err = v.memory.learn(u.token, judge)
	if err == nil && known.set.public[keyID] != set.public[keyID] {
		known, err = judge() // the answer was of a request that saw other keys
	}
	if err != nil {
		return nil, false, err
	}
	return known.claims, false, nil
}

// recall answers for a remembered token whose key is published still.
func (v *Verifier) recall(token string, known *remembered, arrived time.Time) (_ *Claims, isRemembered bool, err error) {
	if err := known.check(arrived); err != nil {
		v.memory.forget(token)
		return nil, true, err
	}
	return known.claims, true, nil
}

// judge decides about a token whose key is in the set.
func (v *Verifier) judge(u *unverified, keyID string, set *keySet) (*remembered, error) {
	claims, err := v.check(u, set.public[keyID])
	if err != nil {
		return nil, err
	}
	v.headers.put(u.token, keyID)
	return newRemembered(claims, keyID, set, v.leeway), nil
}

// refused logs err and returns it as it leaves the verifier.
func (v *Verifier) refused(ctx context.Context, err error) error {
	// LogAttrs checks too, but its arguments cost memory by then.
	if v.logger.Enabled(ctx, slog.LevelDebug) {
		v.logger.LogAttrs(ctx, slog.LevelDebug, "cfaccess: refused", slog.Any("error", err))
	}
	return &issuedError{err, v.issuer}
}

// fetched logs and reports a fetch.
func (v *Verifier) fetched(e Fetch, due time.Time) {
	if e.Err != nil {
		v.logger.LogAttrs(context.Background(), slog.LevelWarn, "cfaccess: fetching keys failed",
			slog.String("reason", e.Reason), slog.Any("error", e.Err), slog.Time("retry", due))
	}
	if v.hooks.Fetched != nil {
		v.hooks.Fetched(context.Background(), e)
	}
}
