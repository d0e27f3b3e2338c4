package accesstest

import "time"

// An Option changes a token before it is signed, or how it is signed. Options
// apply in order: of two that set the same thing, the later wins.
type Option func(*draft)

// A draft is a token that isn't signed yet.
type draft struct {
	claims    map[string]any
	header    []func(header map[string]any)
	signature func(*Team) signature
}

// WithClaim sets a claim to the JSON form of value: a wrong type, as in
// WithClaim("exp", "soon"), is as good as a right one.
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

// WithHeader sets a field of the header to the JSON form of value. It changes
// what the header says and not how the token is signed, and it wins over every
// Signed… option: WithHeader("kid", …) names a key that didn't sign.
func WithHeader(name string, value any) Option {
	return func(d *draft) {
		d.header = append(d.header, func(header map[string]any) { header[name] = value })
	}
}

// WithoutHeader leaves a field of the header out, as WithHeader sets one.
func WithoutHeader(name string) Option {
	return func(d *draft) {
		d.header = append(d.header, func(header map[string]any) { delete(header, name) })
	}
}
