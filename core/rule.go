package core

import (
	"context"
	"errors"
	"fmt"
)

// Rule says which callers pass. The zero value lets every verified caller pass
// and nobody else.
type Rule struct {
	// Optional lets a request without a token pass, as an anonymous caller
	// whom Policy is not asked about. A bad token is refused all the same.
	Optional bool
	// Policy decides about verified callers. Nil lets each of them pass.
	Policy Policy
}

// A Policy decides whether a verified caller may pass: nil allows, any error
// refuses and reaches the operator as [ErrForbidden]. It may be called from
// several goroutines at once.
type Policy func(ctx context.Context, c *Claims) error

// Require is the decision behind the Require of every adapter: it returns the
// claims in ctx if policy allows their owner. Where policy refuses, the error
// matches ErrForbidden. Where ctx holds no claims it matches ErrNoToken, and
// names no issuer for the realm of the answer. A nil policy lets every verified
// caller pass.
func Require(ctx context.Context, policy Policy) (*Claims, error) {
	c, ok := FromContext(ctx)
	if !ok {
		return nil, fmt.Errorf("%w: no verified caller in the request's context", ErrNoToken)
	}
	err := permit(ctx, c, policy)
	if err != nil && c.origin != nil {
		err = c.origin.verifier.refused(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// permit returns nil or an error of class ErrForbidden, and of no other.
func permit(ctx context.Context, c *Claims, policy Policy) error {
	if policy == nil {
		return nil
	}
	err := policy(ctx, c)
	if err == nil {
		return nil
	}
	for _, class := range classes {
		if class != ErrForbidden && errors.Is(err, class) {
			// The policy asked another verifier, say. Keep what it says, but
			// don't let the error match two classes.
			return fmt.Errorf("%w: %s", ErrForbidden, err.Error())
		}
	}
	if errors.Is(err, ErrForbidden) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrForbidden, err)
}
