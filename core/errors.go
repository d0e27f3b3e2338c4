package core

import (
	"errors"
	"fmt"
	"time"
)

// Every error of a [Verifier], and of [Require], matches exactly one of these
// with errors.Is. Its text says which check failed and is meant for the
// operator; what the client may read comes from [Refuse].
var (
	// ErrNoToken: the request carries no Access token at all.
	ErrNoToken = errors.New("cfaccess: no token")
	// ErrMalformed: not a token of the form that Access issues. Covers size,
	// encoding, JSON, a missing kid, a crit header, a missing exp, a claim of
	// the wrong type, and several token headers in one request.
	ErrMalformed = errors.New("cfaccess: malformed token")
	// ErrUnknownKey: the team publishes no key of that key id.
	ErrUnknownKey = errors.New("cfaccess: unknown key")
	// ErrSignature: the signature does not verify, or isn't RS256.
	ErrSignature = errors.New("cfaccess: bad signature")
	// ErrExpired: exp ≤ now − leeway.
	ErrExpired = errors.New("cfaccess: token expired")
	// ErrNotYetValid: nbf or iat > now + leeway.
	ErrNotYetValid = errors.New("cfaccess: token not yet valid")
	// ErrIssuer: iss is missing or isn't the team's.
	ErrIssuer = errors.New("cfaccess: wrong issuer")
	// ErrAudience: aud is missing or names none of [Config].Audiences.
	ErrAudience = errors.New("cfaccess: wrong audience")
	// ErrTokenType: type is neither "app" nor absent, such as "org", the
	// team-wide session token that is not meant for an origin.
	ErrTokenType = errors.New("cfaccess: wrong token type")
	// ErrForbidden: the token is good, a [Policy] refuses its owner.
	ErrForbidden = errors.New("cfaccess: forbidden")
	// ErrKeysUnavailable: the token could not be judged, because there are no
	// usable keys or the caller's context ended while waiting for them.
	ErrKeysUnavailable = errors.New("cfaccess: keys unavailable")
)

// classes are the sentinels; they don't change.
var classes = [...]error{
	ErrNoToken, ErrMalformed, ErrUnknownKey, ErrSignature, ErrExpired, ErrNotYetValid,
	ErrIssuer, ErrAudience, ErrTokenType, ErrForbidden, ErrKeysUnavailable,
}

// classOf returns the sentinel that err matches, or nil.
func classOf(err error) error {
	for _, class := range classes {
		if errors.Is(err, class) {
			return class
		}
	}
	return nil
}

// malformedError is ErrMalformed, because a segment of the token can't be
// decoded. Its text, like unknownKeyError's, is made only if somebody reads it:
// strangers cause these by the thousand.
type malformedError struct {
	segment string
	cause   error
}

func (e *malformedError) Error() string {
	return ErrMalformed.Error() + ": " + e.segment + ": " + e.cause.Error()
}

func (e *malformedError) Is(target error) bool { return target == ErrMalformed }
func (e *malformedError) Unwrap() error        { return e.cause }

// unknownKeyError is ErrUnknownKey.
type unknownKeyError struct {
	keyID    string
	fetchErr error // why the last fetch failed; nil if it didn't
}

func (e *unknownKeyError) Error() string {
	if e.fetchErr != nil {
		return fmt.Sprintf("%v: kid %.80q is not in the last good keys, and fetching them failed: %v", ErrUnknownKey, e.keyID, e.fetchErr)
	}
	return fmt.Sprintf("%v: kid %.80q is not published", ErrUnknownKey, e.keyID)
}

func (e *unknownKeyError) Unwrap() []error {
	if e.fetchErr == nil {
		return []error{ErrUnknownKey}
	}
	return []error{ErrUnknownKey, e.fetchErr}
}

// keysUnavailableError is ErrKeysUnavailable with what a 503 answer needs.
type keysUnavailableError struct {
	cause      error
	retryAfter time.Duration // when the next fetch is due; may be negative
}

func (e *keysUnavailableError) Error() string {
	return ErrKeysUnavailable.Error() + ": " + e.cause.Error()
}

func (e *keysUnavailableError) Unwrap() []error { return []error{ErrKeysUnavailable, e.cause} }

// issuedError is an error on its way out of a Verifier. It carries the issuer,
// which Refuse names as the realm of a WWW-Authenticate header.
type issuedError struct {
	error
	issuer string
}

func (e *issuedError) Unwrap() error { return e.error }
