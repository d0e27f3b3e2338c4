package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/auth0/go-jwt-middleware/v2/jwks"
	"github.com/auth0/go-jwt-middleware/v2/validator"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/httprc/v3"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// The names of those that are compared, as the tables have them.
const (
	nameOurs      = "cfaccess"
	nameGolangJWT = "golang-jwt + keyfunc"
	nameOIDC      = "go-oidc"
	nameJWX       = "jwx"
	nameAuth0     = "auth0"
)

// certsPath is where a team publishes its keys.
const certsPath = "/cdn-cgi/access/certs"

// A candidate is a verifier that a Go program could choose.
type candidate struct {
	name   string
	verify func(ctx context.Context, token string) error
}

// newCandidates returns ours and the peers, each as its documentation has it
// for such a team, with the same issuer and audience. All have their keys:
// good is a token that each has accepted. Their goroutines end with ctx.
func newCandidates(ctx context.Context, team *accesstest.Team, good string) ([]candidate, error) {
	certs := team.URL + certsPath
	makers := []struct {
		name string
		make func(ctx context.Context, issuer, certs string) (func(context.Context, string) error, error)
	}{
		{nameOurs, func(ctx context.Context, _, _ string) (func(context.Context, string) error, error) {
			return ours(ctx, team.URL)
		}},
		{nameGolangJWT, golangJWT},
		{nameOIDC, goOIDC},
		{nameJWX, jwx},
		{nameAuth0, auth0},
	}
	var candidates []candidate
	for _, m := range makers {
		verify, err := m.make(ctx, team.Issuer(), certs)
		if err == nil {
			err = verify(ctx, good)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		candidates = append(candidates, candidate{m.name, verify})
	}
	return candidates, nil
}

func ours(ctx context.Context, teamURL string) (func(context.Context, string) error, error) {
	v, err := newVerifier(ctx, teamURL, nil)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, token string) error {
		_, err := v.Verify(ctx, token)
		return err
	}, nil
}

// golangJWT is keyfunc's README, which decodes into a map, with those of our
// checks that golang-jwt offers and a parser that is made once.
func golangJWT(ctx context.Context, issuer, certs string) (func(context.Context, string) error, error) {
	keys, err := keyfunc.NewDefaultCtx(ctx, []string{certs})
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(30*time.Second))
	return func(_ context.Context, token string) error {
		_, err := parser.Parse(token, keys.Keyfunc)
		return err
	}, nil
}

// goOIDC is Cloudflare's own sample for Go:
// https://developers.cloudflare.com/cloudflare-one/access-controls/applications/http-apps/authorization-cookie/validating-json/
func goOIDC(ctx context.Context, issuer, certs string) (func(context.Context, string) error, error) {
	verifier := oidc.NewVerifier(issuer, oidc.NewRemoteKeySet(ctx, certs), &oidc.Config{ClientID: audience})
	return func(ctx context.Context, token string) error {
		_, err := verifier.Verify(ctx, token)
		return err
	}, nil
}

func jwx(ctx context.Context, issuer, certs string) (func(context.Context, string) error, error) {
	cache, err := jwk.NewCache(ctx, httprc.NewClient())
	if err != nil {
		return nil, err
	}
	if err := cache.Register(ctx, certs); err != nil {
		return nil, err
	}
	keys, err := cache.CachedSet(certs)
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, token string) error {
		_, err := jwxjwt.ParseString(token, jwxjwt.WithKeySet(keys), jwxjwt.WithIssuer(issuer), jwxjwt.WithAudience(audience))
		return err
	}, nil
}

// auth0 decodes the registered claims alone, which is the least it can do.
func auth0(_ context.Context, issuer, certs string) (func(context.Context, string) error, error) {
	issuerURL, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}
	certsURL, err := url.Parse(certs)
	if err != nil {
		return nil, err
	}
	keys := jwks.NewCachingProvider(issuerURL, time.Hour, jwks.WithCustomJWKSURI(certsURL))
	v, err := validator.New(keys.KeyFunc, validator.RS256, issuer, []string{audience})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, token string) error {
		_, err := v.ValidateToken(ctx, token)
		return err
	}, nil
}
