package gate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cfaccess/cfaccess/core"
)

// A Rule says who may make the requests that it matches. The lists of callers are
// alternatives, and so are the entries of each.
type Rule struct {
	Path, Prefix string   // in normal form, one of them; a prefix ends where a segment does
	Methods      []string // empty: all. GET is HEAD too, which servers answer alike
	Public       bool     // no token is needed

	Emails, Domains, Groups, Services, Countries []string

	path   string // Path or Prefix, decoded
	policy core.Policy
}

// matches compares a decoded path. A rule that demands something matches it in
// every case, since many servers take /Admin for /admin. A public one doesn't.
func (r *Rule) matches(method, path string) bool {
	want := r.path
	if !r.Public {
		path, want = strings.ToLower(path), strings.ToLower(want)
	}
	if rest, isBelow := strings.CutPrefix(path, strings.TrimSuffix(want, "/")); path != want &&
		(r.Prefix == "" || !isBelow || rest != "" && rest[0] != '/') {
		return false
	}
	return len(r.Methods) == 0 || slices.Contains(r.Methods, method) || method == "HEAD" && slices.Contains(r.Methods, "GET")
}

// covers reports whether r matches whatever other matches.
func (r *Rule) covers(other *Rule) bool {
	methods := other.Methods
	if len(methods) == 0 {
		methods = []string{"any"} // which no list has
	}
	isWider := r.Prefix != "" || other.Prefix == ""
	return isWider && !slices.ContainsFunc(methods, func(method string) bool { return !r.matches(method, other.path) })
}

// newPolicy returns nil if the rule has no lists. Groups come last: they may need a
// request to Access.
func (r *Rule) newPolicy() core.Policy {
	var policies []core.Policy
	add := func(policy func(...string) core.Policy, list []string) {
		if len(list) > 0 {
			policies = append(policies, policy(list...))
		}
	}
	add(core.Emails, r.Emails)
	add(core.EmailDomains, r.Domains)
	add(core.Services, r.Services)
	add(core.Countries, r.Countries)
	add(core.Groups, r.Groups)
	if len(policies) == 0 {
		return nil
	}
	anyOf := core.AnyOf(policies...)
	return func(ctx context.Context, c *core.Claims) error {
		if err := anyOf(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", cmp.Or(c.Email, c.CommonName), err) // for the log
		}
		return nil
	}
}
