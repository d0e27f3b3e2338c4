package core

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// The paths of a team's keys, its identities and its logout.
const certsPath, identityPath, logoutPath = "/cdn-cgi/access/certs", "/cdn-cgi/access/get-identity", "/cdn-cgi/access/logout"

// A Verifier decides whether a token is good. Make one with [New] for the life
// of the process. It is safe for concurrent use. It needs no closing: it has
// goroutines only during a fetch, and connections to Access for 30 seconds after
// the last one.
type Verifier struct {
	cfg       Config // resolved
	issuer    string
	audiences []string
	leeway    time.Duration

	cache      *cache
	keys       *keys
	keyfunc    keyfunc.Keyfunc // over keys
	parser     *jwt.Parser
	validator  *jwt.Validator
	identities *identities
}

// New returns a Verifier for the tokens that cfg describes, or an error that
// names the field with a bad value. It does no network I/O: the keys are
// fetched when they are first needed, or by [Verifier.Refresh]. It logs a WARN
// for an audience that is no AUD tag, and where keys don't come from cloudflareaccess.com.
func New(cfg Config) (*Verifier, error) {
	cfg, issuer, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	v := &Verifier{
		cfg:       cfg,
		issuer:    issuer,
		audiences: cfg.Audiences,
		leeway:    cfg.Leeway,
		cache:     newCache(cfg.TokenCacheBytes),
		parser:    jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation()),
		validator: jwt.NewValidator(jwt.WithIssuer(issuer), jwt.WithAudience(cfg.Audiences...), jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(), jwt.WithLeeway(cfg.Leeway)),
	}
	v.keys, v.identities = newKeys(cfg, issuer, v.fetched), newIdentities(cfg)
	if v.keyfunc, err = keyfunc.New(keyfunc.Options{Storage: v.keys}); err != nil {
		return nil, fmt.Errorf("cfaccess: %w", err)
	}
	for _, tag := range cfg.Audiences {
		if !audienceForm.MatchString(tag) {
			v.cfg.Logger.Warn("cfaccess: an audience is not an AUD tag, which is 64 lower-case hex digits", slog.String("audience", tag))
		}
	}
	if !strings.HasSuffix(issuer, "."+accessDomain) || cfg.Endpoint != issuer {
		v.cfg.Logger.Warn("cfaccess: keys don't come from cloudflareaccess.com",
			slog.String("issuer", issuer), slog.String("endpoint", cfg.Endpoint))
	}
	return v, nil
}

// Issuer returns the issuer that tokens must name: the team's URL without a
// trailing slash, such as "https://acme.cloudflareaccess.com".
func (v *Verifier) Issuer() string { return v.issuer }

// LogoutURL returns the URL that signs a browser out of all applications of
// the team. The same path on an application's own host signs out of that one.
func (v *Verifier) LogoutURL() string { return v.issuer + logoutPath }

// Refresh fetches the team's keys. It returns when a fetch that began after the
// call has ended. Call it at start to find a mistyped team before the first
// user does. It takes FetchTimeout at most, twice that where another fetch is
// under way, and a second more where Config.HTTPClient ignores its context. The
// error matches ErrKeysUnavailable. Keys that were fetched before stay in use.
func (v *Verifier) Refresh(ctx context.Context) error {
	return v.keys.refresh(ctx)
}

// Stats are readings for gauges.
type Stats struct {
	KeysFetched time.Time // when the keys in use were fetched; zero if there are none
	KeysStale   time.Time // when they are too old to use: MaxStale later; zero if there are none
	Tokens      int64     // in the cache of verified tokens, about
	TokenBytes  int64     // the memory that they take, about
}

// Stats returns the readings of this moment. It costs no I/O.
func (v *Verifier) Stats() (s Stats) {
	s.Tokens, s.TokenBytes = v.cache.size()
	if s.KeysFetched = v.keys.state.Load().fetched; !s.KeysFetched.IsZero() {
		s.KeysStale = s.KeysFetched.Add(v.keys.cfg.MaxStale)
	}
	return s
}

// Verify returns the claims of a good token: signed with a key that the team
// publishes, by this issuer, for one of the audiences, of type "app", and in
// its time. It doesn't check whether the session was revoked since, and doesn't
// keep the memory behind token.
//
// It waits for a fetch of the keys only if it can't decide without, and then
// FetchTimeout at most. If ctx ends first, the error matches ctx.Err() and
// ErrKeysUnavailable. Every error but ErrForbidden and ErrPolicyUnavailable may
// occur. An empty token is ErrNoToken.
func (v *Verifier) Verify(ctx context.Context, token string) (*Claims, error) {
	began := time.Now()
	claims, cached, err := v.verify(ctx, token, began, began)
	return v.decided(ctx, began, Decision{Claims: claims, Err: err, Cached: cached})
}

// decided logs and reports a decision, and returns it as the caller gets it.
func (v *Verifier) decided(ctx context.Context, began time.Time, d Decision) (*Claims, error) {
	if d.Err != nil {
		// LogAttrs checks too, but its arguments are allocated before.
		if v.cfg.Logger.Enabled(ctx, slog.LevelDebug) {
			v.cfg.Logger.LogAttrs(ctx, slog.LevelDebug, "cfaccess: refused", slog.Any("error", d.Err))
		}
		d.Err = &refusedError{d.Err, v.issuer}
	}
	if v.cfg.Hooks.Decided != nil {
		d.Duration = time.Since(began)
		v.cfg.Hooks.Decided(ctx, d)
	}
	if d.Err != nil {
		return nil, d.Err
	}
	return d.Claims, nil
}

// fetched logs and reports a fetch, and the states before and after it.
func (v *Verifier) fetched(e Fetch, last, next *keysState) {
	switch {
	case e.Err != nil:
		v.cfg.Logger.Warn("cfaccess: fetching keys failed",
			slog.String("reason", e.Reason), slog.Any("error", e.Err), slog.Time("retry", next.due))
	case last.err != nil:
		v.cfg.Logger.Info("cfaccess: fetching keys works again")
	}
	if v.cfg.Hooks.Fetched != nil {
		v.cfg.Hooks.Fetched(context.Background(), e)
	}
}
