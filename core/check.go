package core

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// newValidator returns golang-jwt's checks of the claims at their strictest. It
// is safe for concurrent use.
func newValidator(issuer string, audiences []string, leeway time.Duration) *jwt.Validator {
	return jwt.NewValidator(
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audiences...),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(leeway),
	)
}

// check lets golang-jwt judge a token by a key. It calls the one algorithm of
// Access's by name: what the header says of it chooses nothing.
//
// These are the parts of golang-jwt's Parser, which would decode each header
// anew and not see in it what parseHeader sees: no reading of a token but the
// one that was checked decides anything.
func (v *Verifier) check(u *unverified, key *rsa.PublicKey) (*Claims, error) {
	if err := jwt.SigningMethodRS256.Verify(u.signed, u.signature, key); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if err := v.validator.Validate(u.payload); err != nil {
		return nil, fmt.Errorf("%w: claims: %w", classify(err, u.payload), err)
	}
	return u.payload.claims(origin{u.token, v}), nil
}

// classify returns the sentinel for an error of the validator's. Of several
// failed checks, the first here counts: that a token is somebody else's says
// more than that it is old.
func classify(err error, p *payload) error {
	var tokenType tokenTypeError
	missing := errors.Is(err, jwt.ErrTokenRequiredClaimMissing)
	switch {
	case errors.Is(err, jwt.ErrTokenInvalidIssuer), missing && p.checked.Issuer.value == "":
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
