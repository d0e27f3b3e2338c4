package core

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// newParser returns golang-jwt's parser at its strictest. It is safe for
// concurrent use.
func newParser(issuer string, audiences []string, leeway time.Duration) *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}),
		jwt.WithStrictDecoding(),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audiences...),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(leeway),
	)
}

// parse lets golang-jwt judge a token by a set that holds its key. The token is
// kept in the claims.
func (v *Verifier) parse(token string, set *keySet) (*Claims, error) {
	var p payload
	if _, err := v.parser.ParseWithClaims(token, &p, set.keyfunc.Keyfunc); err != nil {
		return nil, fmt.Errorf("%w: %w", classify(err, &p), err)
	}
	return p.claims(origin{token, v}), nil
}

// classify returns the sentinel for an error of golang-jwt's. Of several
// failed checks, the first here counts: that a token is somebody else's says
// more than that it is old.
func classify(err error, p *payload) error {
	var tokenType tokenTypeError
	missing := errors.Is(err, jwt.ErrTokenRequiredClaimMissing)
	switch {
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return ErrSignature
	case !errors.Is(err, jwt.ErrTokenInvalidClaims):
		return ErrMalformed
	case errors.Is(err, jwt.ErrTokenInvalidIssuer), missing && p.Claims.Issuer == "":
		return ErrIssuer
	case errors.Is(err, jwt.ErrTokenInvalidAudience), missing && !p.checked.Audience.named():
		return ErrAudience
	case errors.As(err, &tokenType):
		return ErrTokenType
	case missing: // only exp is left
		return ErrMalformed
	case errors.Is(err, jwt.ErrTokenExpired):
		return ErrExpired
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return ErrNotYetValid
	default:
		return ErrMalformed
	}
}
