package accesstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"
)

// An Option changes a token before it is signed, or how it is signed. Options
// apply in order: of two that set the same thing, the later wins.
type Option func(*draft)

// A draft is a token that isn't signed yet.
type draft struct {
	team      *Team
	claims    map[string]any
	header    map[string]any // fields that WithHeader sets, or WithoutHeader removes
	algorithm string
	keyID     string
	sign      func(input []byte) []byte
}

// removed stands in a draft's header for a field that is left out.
type removed struct{}

// WithClaim sets a claim to the JSON form of value. The type may be wrong, as in
// WithClaim("exp", "soon").
func WithClaim(name string, value any) Option {
	return func(d *draft) { d.claims[name] = value }
}

// WithoutClaim leaves a claim out.
func WithoutClaim(name string) Option {
	return func(d *draft) { delete(d.claims, name) }
}

// WithExpiry sets the exp claim, in whole seconds. The other times stay.
func WithExpiry(expiry time.Time) Option {
	return WithClaim("exp", expiry.Unix())
}

// WithHeader sets a field of the header to the JSON form of value, whatever the
// Signed… options set. It doesn't change how the token is signed:
// WithHeader("kid", …) names a key that didn't sign.
func WithHeader(name string, value any) Option {
	return func(d *draft) { d.header[name] = value }
}

// WithoutHeader leaves a field of the header out, as WithHeader sets one.
func WithoutHeader(name string) Option {
	return WithHeader(name, removed{})
}

// SignedByPreviousKey signs with the previous key, under its own kid, after
// [Team.Withdraw] too: such a token must be refused.
func SignedByPreviousKey() Option {
	return func(d *draft) {
		previous, _ := d.team.keys()
		d.algorithm, d.keyID, d.sign = "RS256", previous.id, previous.sign
	}
}

// SignedByStranger signs with a key that the team never publishes, under the kid
// of the current key: a forgery. A team has one such key and generates it when
// it is first used.
func SignedByStranger() Option {
	return func(d *draft) { d.algorithm, d.keyID, d.sign = "RS256", d.team.KeyID(), d.team.stranger().sign }
}

// SignedHS256 signs with HMAC-SHA256, keyed with the PEM form of the current
// public key, under its kid. A verifier that lets the token choose the algorithm
// accepts it.
func SignedHS256() Option {
	return func(d *draft) {
		_, current := d.team.keys()
		d.algorithm, d.keyID, d.sign = "HS256", current.id, func(input []byte) []byte {
			mac := hmac.New(sha256.New, current.public)
			mac.Write(input)
			return mac.Sum(nil)
		}
	}
}

// Unsigned leaves the signature empty and sets alg to "none", with the kid of
// the current key.
func Unsigned() Option {
	return func(d *draft) {
		d.algorithm, d.keyID, d.sign = "none", d.team.KeyID(), func([]byte) []byte { return nil }
	}
}
