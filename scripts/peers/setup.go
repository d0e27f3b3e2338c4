package peers

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/auth0/go-jwt-middleware/v3/jwks"
	"github.com/auth0/go-jwt-middleware/v3/validator"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/httprc/v3"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/cfaccess/cfaccess/core"
)

// NewVerifier returns a cfaccess verifier that has no keys yet and logs nothing.
// If change isn't nil, it is called with the config first.
func NewVerifier(s Site, change func(*core.Config)) (*core.Verifier, error) {
	cfg := core.Config{
		Team: Team, Audiences: []string{Audience}, Endpoint: s.URL, RefreshInterval: s.Refresh,
		Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	v, err := core.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("our verifier: %w", err)
	}
	return v, nil
}

func ours(_ context.Context, s Site) (Verify, error) {
	v, err := NewVerifier(s, nil)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, token string) error {
		_, err := v.Verify(ctx, token)
		return err
	}, nil
}

// golangJWT follows keyfunc's README, which decodes the claims into a map. It
// adds a parser that is made once, and every option of golang-jwt that checks
// what cfaccess checks too:
// https://github.com/MicahParks/keyfunc#step-2-create-the-keyfunckeyfunc
func golangJWT(ctx context.Context, s Site) (Verify, error) {
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{s.certs()}, keyfunc.Override{RefreshInterval: s.Refresh})
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(s.Issuer), jwt.WithAudience(Audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(30*time.Second))
	return func(_ context.Context, token string) error {
		_, err := parser.Parse(token, keys.Keyfunc)
		return err
	}, nil
}

// goOIDC follows Cloudflare's sample for Go:
// https://developers.cloudflare.com/cloudflare-one/access-controls/applications/http-apps/authorization-cookie/validating-json/
func goOIDC(ctx context.Context, s Site) (Verify, error) {
	verifier := oidc.NewVerifier(s.Issuer, oidc.NewRemoteKeySet(ctx, s.certs()), &oidc.Config{ClientID: Audience})
	return func(ctx context.Context, token string) error {
		_, err := verifier.Verify(ctx, token)
		return err
	}, nil
}

// jwx follows its guide to key sets that are refreshed in the background:
// https://github.com/lestrrat-go/jwx/blob/develop/v3/docs/04-jwk.md#auto-refreshing-remote-keys
func jwx(ctx context.Context, s Site) (Verify, error) {
	cache, err := jwk.NewCache(ctx, httprc.NewClient())
	if err != nil {
		return nil, err
	}
	var options []jwk.RegisterOption
	if s.Refresh > 0 {
		options = append(options, jwk.WithConstantInterval(s.Refresh))
	}
	if err := cache.Register(ctx, s.certs(), options...); err != nil {
		return nil, err
	}
	keys, err := cache.CachedSet(s.certs())
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, token string) error {
		_, err := jwxjwt.ParseString(token, jwxjwt.WithKeySet(keys), jwxjwt.WithIssuer(s.Issuer), jwxjwt.WithAudience(Audience))
		return err
	}, nil
}

// auth0 follows its README, without the middleware. It is given the URL of the
// keys, since Access has no discovery document. It decodes only the registered
// claims: https://github.com/auth0/go-jwt-middleware#production-example-with-jwks-and-auth0
func auth0(_ context.Context, s Site) (Verify, error) {
	issuerURL, err := url.Parse(s.Issuer)
	if err != nil {
		return nil, err
	}
	certsURL, err := url.Parse(s.certs())
	if err != nil {
		return nil, err
	}
	keys, err := jwks.NewCachingProvider(jwks.WithIssuerURL(issuerURL), jwks.WithCustomJWKSURI(certsURL), jwks.WithCacheTTL(s.Refresh))
	if err != nil {
		return nil, err
	}
	v, err := validator.New(validator.WithKeyFunc(keys.KeyFunc), validator.WithAlgorithm(validator.RS256),
		validator.WithIssuer(s.Issuer), validator.WithAudience(Audience))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, token string) error {
		_, err := v.ValidateToken(ctx, token)
		return err
	}, nil
}
