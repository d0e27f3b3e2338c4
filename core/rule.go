package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Rule says which callers pass. The zero value admits every verified caller and
// nobody else.
type Rule struct {
	// Optional lets a request without a token pass, as an anonymous caller
	// about whom Policy is not asked. A bad token in the header is refused all
	// the same. A bad cookie counts as none, since browsers keep on sending
	// those of old sessions and other applications. But if it may be good,
	// because Access can't be asked, the request is refused with 503.
	Optional bool
	// Policy decides about verified callers. Nil admits all of them.
	Policy Policy
}

// A Policy decides whether a verified caller may pass: nil allows, any error
// refuses and reaches the operator as [ErrForbidden]. An error that wraps
// [ErrPolicyUnavailable] could not decide: the client gets 503, not 403. It may
// be called from several goroutines at once. c is never nil.
type Policy func(ctx context.Context, c *Claims) error

// Require is the decision behind the Require of every adapter: it returns the
// claims in ctx if policy allows the caller. The error matches ErrForbidden
// where policy refuses, and ErrPolicyUnavailable where it could not decide.
// Where ctx holds no claims it matches ErrNoToken, and names no issuer for the
// realm of the answer. A nil policy lets every verified caller pass.
func Require(ctx context.Context, policy Policy) (*Claims, error) {
	c, ok := FromContext(ctx)
	if !ok {
		return nil, fmt.Errorf("%w: no verified caller in the request's context", ErrNoToken)
	}
	began := time.Now()
	err := permit(ctx, c, policy)
	if c.verifier != nil {
		return c.verifier.decided(ctx, began, Decision{Claims: c, Err: err, Required: true})
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// permit returns a policy's error as ErrForbidden or ErrPolicyUnavailable.
func permit(ctx context.Context, c *Claims, policy Policy) error {
	if policy == nil {
		return nil
	}
	err := policy(ctx, c)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrPolicyUnavailable):
		return &outsideError{ErrPolicyUnavailable, err}
	default:
		return &outsideError{ErrForbidden, err}
	}
}
