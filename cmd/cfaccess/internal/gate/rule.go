package gate

import (
	"context"
	"slices"
	"strings"

	"github.com/cfaccess/cfaccess/core"
)

// A rule says who may make the requests that it matches.
type rule struct {
	path     string // decoded
	isPrefix bool   // path and what is below it
	methods  []string
	public   bool // no token is needed
	policy   core.Policy
}

// matches compares a path in normal form, decoded. lower is that path in lower
// case. A rule that demands something matches paths in every case, since many
// servers take /Admin for /admin. A public one matches exactly.
func (r *rule) matches(method, path, lower string) bool {
	if !r.allowsMethod(method) {
		return false
	}
	want := r.path
	if !r.public {
		path, want = lower, strings.ToLower(r.path)
	}
	if !r.isPrefix {
		return path == want
	}
	rest, found := strings.CutPrefix(path, strings.TrimSuffix(want, "/"))
	return found && (rest == "" || rest[0] == '/')
}

// allowsMethod reports whether the rule is about a method. GET stands for HEAD
// too: servers answer both from the same handler.
func (r *rule) allowsMethod(method string) bool {
	return len(r.methods) == 0 || slices.Contains(r.methods, method) ||
		method == "HEAD" && slices.Contains(r.methods, "GET")
}

// covers reports whether r matches whatever other matches.
func (r *rule) covers(other *rule) bool {
	if len(r.methods) > 0 && len(other.methods) == 0 || !r.isPrefix && other.isPrefix {
		return false
	}
	methods := other.methods
	if len(methods) == 0 {
		methods = []string{""}
	}
	lower := strings.ToLower(other.path)
	return !slices.ContainsFunc(methods, func(method string) bool { return !r.matches(method, other.path, lower) })
}

// newPolicy returns a policy that allows a caller whom one of policies allows,
// and nil if there is none.
func newPolicy(policies []core.Policy) core.Policy {
	if len(policies) == 0 {
		return nil
	}
	anyOf := core.AnyOf(policies...)
	return func(ctx context.Context, c *core.Claims) error {
		if err := anyOf(ctx, c); err != nil {
			return &callerError{err, c}
		}
		return nil
	}
}

// callerError is a policy's error. It tells the log whom the policy refused.
type callerError struct {
	error
	caller *core.Claims
}

func (e *callerError) Unwrap() error { return e.error }
