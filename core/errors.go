package core

import (
	"errors"
	"fmt"
	"time"
)

// Every error of a [Verifier], and of [Require], matches exactly one of these
// with errors.Is. Its text says which check failed and is for the operator.
// [Refuse] returns the text for the client.
var (
	// ErrNoToken: the request carries no Access token at all.
	ErrNoToken = errors.New("cfaccess: no token")
	// ErrMalformed: not a token of the form that Access issues: size, encoding,
	// JSON, a missing kid or exp, a crit header, a claim that comes twice or has
	// the wrong type, several token headers in one request.
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
	// ErrTokenType: the token is not meant for an origin. Its type is not
	// "app", such as "org" for the team's session token; or it has none and is
	// not a service token's.
	ErrTokenType = errors.New("cfaccess: wrong token type")
	// ErrForbidden: the token is good, and a [Policy] refuses its owner.
	ErrForbidden = errors.New("cfaccess: forbidden")
	// ErrKeysUnavailable: the token could not be verified, because there are
	// no usable keys or the caller's context ended while it waited for them.
	ErrKeysUnavailable = errors.New("cfaccess: keys unavailable")
	// ErrPolicyUnavailable: the token is good, and a [Policy] could not decide
	// about its owner. A policy of your own returns an error that wraps it
	// when its backend can't be asked.
	ErrPolicyUnavailable = errors.New("cfaccess: policy unavailable")
)

// unknownKeyError is ErrUnknownKey. Its text is made only when it is read, since
// any client can cause thousands of these errors.
type unknownKeyError struct {
	keyID    string
	issuer   string // of the team
	payload  *unverified
	fetchErr error // why newer keys are not known; nil if they are
}

// mayBeOurs reports whether the token names our issuer, or none. No fetch brings
// the key of another team's token.
func (e *unknownKeyError) mayBeOurs() bool {
	issuer := e.payload.issuer()
	return issuer == "" || issuer == e.issuer
}

func (e *unknownKeyError) Error() string {
	text := fmt.Sprintf("%v: %s publishes no key with kid %.80q", ErrUnknownKey, e.issuer, e.keyID)
	if !e.mayBeOurs() {
		text += fmt.Sprintf("; the token names the issuer %.100q", e.payload.issuer())
	}
	if e.fetchErr != nil {
		text += fmt.Sprintf("; fetching newer keys: %v", e.fetchErr)
	}
	return text
}

func (e *unknownKeyError) Is(target error) bool { return target == ErrUnknownKey }
func (e *unknownKeyError) Unwrap() error        { return e.fetchErr }

// keysUnavailableError is ErrKeysUnavailable with the delay for a 503 answer.
type keysUnavailableError struct {
	cause      error
	retryAfter time.Duration // when the next fetch is due; may be negative
}

func (e *keysUnavailableError) Error() string {
	return ErrKeysUnavailable.Error() + ": " + e.cause.Error()
}

func (e *keysUnavailableError) Unwrap() []error { return []error{ErrKeysUnavailable, e.cause} }

// outsideError is an error of a policy or the HTTPClient. It is of one class, or
// none if that is nil, whatever it wraps: they may use another Verifier.
type outsideError struct{ class, cause error }

func (e *outsideError) Error() string {
	if e.class == nil || errors.Is(e.cause, e.class) {
		return e.cause.Error()
	}
	return e.class.Error() + ": " + e.cause.Error()
}

func (e *outsideError) Is(target error) bool {
	if isClass(target) {
		return target == e.class
	}
	return errors.Is(e.cause, target)
}

func (e *outsideError) As(target any) bool { return errors.As(e.cause, target) }

// refusedError is an error on its way out of a Verifier. It carries the issuer,
// which Refuse names as the realm of a WWW-Authenticate header.
type refusedError struct {
	error
	issuer string
}

func (e *refusedError) Unwrap() error { return e.error }
