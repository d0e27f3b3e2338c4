package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// AllOf allows if every policy does. The first one that refuses decides. One
// that could not decide ([ErrPolicyUnavailable]) counts only if none refuses.
// With no argument it allows. It panics if a policy is nil.
func AllOf(policies ...Policy) Policy {
	policies = mustPolicies("AllOf", policies)
	return func(ctx context.Context, c *Claims) error {
		var unavailable error
		for _, policy := range policies {
			switch err := policy(ctx, c); {
			case err == nil:
			case !errors.Is(err, ErrPolicyUnavailable):
				return err
			case unavailable == nil:
				unavailable = err
			}
		}
		return unavailable
	}
}

// AnyOf allows if one of the policies does, asked in order. If none does and
// one of them could not decide, its error matches [ErrPolicyUnavailable]. With
// no argument it refuses. It panics if a policy is nil.
func AnyOf(policies ...Policy) Policy {
	policies = mustPolicies("AnyOf", policies)
	return func(ctx context.Context, c *Claims) error {
		refusals := make([]error, 0, len(policies))
		for _, policy := range policies {
			err := policy(ctx, c)
			if err == nil {
				return nil
			}
			refusals = append(refusals, err)
		}
		return fmt.Errorf("none of %d policies allows: %w", len(policies), errors.Join(refusals...))
	}
}

// Not allows if policy refuses. If policy could not decide, or ctx has ended, its
// error matches [ErrPolicyUnavailable]. It panics if policy is nil.
func Not(policy Policy) Policy {
	mustPolicies("Not", []Policy{policy})
	return func(ctx context.Context, c *Claims) error {
		err := policy(ctx, c)
		switch {
		case errors.Is(err, ErrPolicyUnavailable):
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("%w: %w", ErrPolicyUnavailable, ctx.Err())
		case err == nil:
			return errors.New("a negated policy allows")
		default:
			return nil
		}
	}
}

// Users allows people, as opposed to service tokens. If subjects (sub claims,
// Access's ids of people) are given, it allows only those.
func Users(subjects ...string) Policy {
	subjects = slices.Clone(subjects)
	return func(_ context.Context, c *Claims) error {
		if c.Email == "" && c.Subject == "" {
			return errors.New("not a person")
		}
		return listed("subject", c.Subject, subjects, len(subjects) == 0)
	}
}

// Services allows service tokens: see [Claims.IsService]. If Client IDs
// (common_name claims) are given, it allows only those.
func Services(clientIDs ...string) Policy {
	clientIDs = slices.Clone(clientIDs)
	return func(_ context.Context, c *Claims) error {
		if !c.IsService() {
			return errors.New("not a service token")
		}
		return listed("client id", c.CommonName, clientIDs, len(clientIDs) == 0)
	}
}

// Emails allows people with one of these addresses. The case of ASCII letters
// is ignored, as Access's own policies do. With no argument it refuses.
func Emails(addresses ...string) Policy {
	addresses = foldAll(addresses)
	return func(_ context.Context, c *Claims) error {
		return listed("email", fold(c.Email), addresses, false)
	}
}

// EmailDomains allows people whose address is at one of these domains, such as
// "example.com". A subdomain is another domain. The case of ASCII letters is
// ignored. With no argument it refuses.
func EmailDomains(domains ...string) Policy {
	domains = foldAll(domains)
	for i, domain := range domains {
		domains[i] = strings.TrimPrefix(domain, "@")
	}
	return func(_ context.Context, c *Claims) error {
		// The last @: a quoted local part may have others (RFC 5321 section 4.1.2).
		at := strings.LastIndexByte(c.Email, '@')
		if at < 0 {
			return fmt.Errorf("email %q has no domain", c.Email)
		}
		return listed("email domain", fold(c.Email[at+1:]), domains, false)
	}
}

// Countries allows callers who logged in from one of these countries, in two
// letters (ISO 3166-1) of any case. It refuses a caller whose token names none,
// as a service token does. With no argument it refuses.
func Countries(codes ...string) Policy {
	codes = foldAll(codes)
	return func(_ context.Context, c *Claims) error {
		return listed("country", fold(c.Country), codes, false)
	}
}

// Audience allows callers whose token is for one of these AUD tags: for a route of
// one of several applications. With no argument it refuses.
func Audience(tags ...string) Policy {
	tags = slices.Clone(tags)
	return func(_ context.Context, c *Claims) error {
		if slices.ContainsFunc(c.Audience, func(tag string) bool { return slices.Contains(tags, tag) }) {
			return nil
		}
		return fmt.Errorf("audience %q is not among those listed", []string(c.Audience))
	}
}

// Custom allows callers whose claim custom.<name> is one of these values, or an
// array that contains one of them. Values are compared exactly. Numbers and
// other types match none. With no value it refuses.
//
// Access leaves attributes out for people with many, so never negate it:
// Not(Custom(…)) allows a caller whose attribute was left out.
func Custom(name string, values ...string) Policy {
	values = slices.Clone(values)
	return func(_ context.Context, c *Claims) error {
		claim, isArray := c.Custom[name].([]any)
		if !isArray {
			claim = []any{c.Custom[name]}
		}
		for _, value := range claim {
			if value, ok := value.(string); ok && slices.Contains(values, value) {
				return nil
			}
		}
		return fmt.Errorf("custom claim %q is %.100q, not among those listed", name, claim)
	}
}

// Groups allows people in one of these groups, by the group's id, name or email,
// compared exactly. It asks Access through [Claims.Identity]. If Access can't be
// asked, its error matches [ErrPolicyUnavailable]. Groups are as of the last
// login. Service tokens have none and are refused, so that Not(Groups(…))
// lets them in. With no argument it refuses.
func Groups(namesOrIDsOrEmails ...string) Policy {
	wanted := slices.DeleteFunc(slices.Clone(namesOrIDsOrEmails), func(s string) bool { return s == "" })
	return func(ctx context.Context, c *Claims) error {
		identity, err := c.Identity(ctx)
		if err != nil {
			return err
		}
		for _, g := range identity.Groups {
			if slices.Contains(wanted, g.Name) || slices.Contains(wanted, g.ID) || slices.Contains(wanted, g.Email) {
				return nil
			}
		}
		return fmt.Errorf("in none of the groups %q", wanted)
	}
}

// listed returns an error unless value is in the list, or anything is set.
// An empty value is in no list: it is a claim that the token doesn't have.
func listed(what, value string, list []string, anything bool) error {
	if anything || value != "" && slices.Contains(list, value) {
		return nil
	}
	return fmt.Errorf("%s %q is not among those listed", what, value)
}

// fold lowers ASCII letters only: strings.ToLower turns the Kelvin sign into k.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func foldAll(list []string) []string {
	folded := make([]string, len(list))
	for i, s := range list {
		folded[i] = fold(s)
	}
	return folded
}

// mustPolicies returns a copy of policies. It panics at a nil one.
func mustPolicies(caller string, policies []Policy) []Policy {
	for i, policy := range policies {
		if policy == nil {
			panic(fmt.Sprintf("cfaccess: %s: policy %d is nil", caller, i))
		}
	}
	return slices.Clone(policies)
}
