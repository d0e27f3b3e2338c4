package conformance

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// anonymous fails the test unless the handler saw nobody.
func anonymous(t *testing.T, saw sighting) {
	t.Helper()
	if saw.Claims != nil || saw.Context != nil {
		t.Errorf("nobody was verified, but %v", saw)
	}
}

// optionals is about Rule.Optional: no token is fine, a bad one in the header
// isn't, and one in a cookie counts as none.
func (s *suite) optionals(t *testing.T) {
	good := s.team.SignUser(audience, ada)
	forged := s.team.SignUser(audience, ada, accesstest.SignedByStranger())

	check(t, "no token", "Optional lets a request without a token pass, with no claims", func(t *testing.T) {
		anonymous(t, s.seen(t, s.optional, PathWhoAmI, nil))
		anonymous(t, s.seen(t, s.optional, PathWhoAmI, http.Header{"Cookie": {"theme=dark"}}))
	})
	check(t, "good token", "Optional or not, a good token brings its claims", func(t *testing.T) {
		for _, header := range []http.Header{inHeader(good), inCookie(good)} {
			if got := s.seen(t, s.optional, PathWhoAmI, header).Claims.name(); got != ada {
				t.Errorf("the handler took the caller for %q, not for %s", got, ada)
			}
		}
	})
	check(t, "bad token", "with Optional, a bad token in the header is refused all the same", func(t *testing.T) {
		s.refused(t, s.optional, PathWhoAmI, inHeader(forged), core.ErrSignature)
		s.refused(t, s.optional, PathWhoAmI, inHeader("x"), core.ErrMalformed)
		s.refused(t, s.optional, PathWhoAmI, inHeader(good, good), core.ErrMalformed)
		s.refused(t, s.optional, PathWhoAmI, with(inHeader(forged), "Cookie", cookies(good)), core.ErrSignature)
	})
	check(t, "stale cookie", "with Optional, a bad cookie counts as none: a browser keeps on sending old ones", func(t *testing.T) {
		expired := s.team.SignUser(audience, ada, accesstest.WithExpiry(time.Now().Add(-time.Hour)))
		foreign := s.team.SignUser("another application's", ada)
		for _, header := range []http.Header{inCookie(forged), inCookie(expired), inCookie(foreign), inCookie("x"), inCookie(""), inCookie(expired, "x")} {
			anonymous(t, s.seen(t, s.optional, PathWhoAmI, header))
		}
		if got := s.seen(t, s.optional, PathWhoAmI, inCookie(expired, good)).Claims.name(); got != ada {
			t.Errorf("behind an expired cookie, the handler took the caller for %q, not for %s", got, ada)
		}
	})
	check(t, "no keys", "Optional lets no token pass that can't be checked, in a cookie neither", func(t *testing.T) {
		s.refused(t, s.keyless, PathWhoAmI, inHeader(good), core.ErrKeysUnavailable)
		s.refused(t, s.keyless, PathWhoAmI, inCookie(good), core.ErrKeysUnavailable)
		anonymous(t, s.seen(t, s.keyless, PathWhoAmI, nil))
	})
	check(t, "policy", "Optional spares only anonymous callers the policy", func(t *testing.T) {
		s.refused(t, s.optional, PathWhoAmI, inHeader(s.team.SignUser(audience, eve)), core.ErrForbidden)
		s.refused(t, s.optional, PathWhoAmI, inCookie(s.team.SignUser(audience, eve)), core.ErrForbidden)
	})
}

// skipped is about the Skipper of an adapter's Config, which fiber calls Next.
func (s *suite) skipped(t *testing.T) {
	good := s.team.SignUser(audience, ada)
	forged := s.team.SignUser(audience, ada, accesstest.SignedByStranger())
	for name, header := range map[string]http.Header{
		"no token":    nil,
		"good token":  inHeader(good),
		"good cookie": inCookie(good),
		"bad token":   inHeader(forged),
		"two tokens":  inHeader(good, forged),
	} {
		check(t, name, "a skipped request reaches the handler unexamined, hence with no claims", func(t *testing.T) {
			anonymous(t, s.seen(t, s.plain, PathSkipped, header))
		})
	}
	check(t, "preflight", "a skipped request passes with any method: preflights are why there is a Skipper", func(t *testing.T) {
		anonymous(t, sightingOf(t, s.send(t, s.plain, http.MethodOptions, PathSkipped, nil, "")))
	})
	check(t, "no keys", "a skipped request needs no keys", func(t *testing.T) {
		anonymous(t, s.seen(t, s.keyless, PathSkipped, inHeader(good)))
	})
	check(t, "inside another New", "the claims of an outer New stay, and the email, where an inner one skips the request", func(t *testing.T) {
		saw := s.seen(t, s.plain, PathNested, with(inHeader(good), core.EmailHeader, mallory))
		if saw.Claims.name() != ada || !saw.Claims.same(saw.Context) || !slices.Equal(saw.Emails, []string{ada}) {
			t.Errorf("%v, and the email header holds %q", saw, saw.Emails)
		}
		s.refused(t, s.plain, PathNested, nil, core.ErrNoToken)
		saw = s.seen(t, s.optional, PathNested, with(http.Header{}, core.EmailHeader, mallory))
		anonymous(t, saw)
		if len(saw.Emails) != 0 {
			t.Errorf("the email header holds %q", saw.Emails)
		}
	})
	check(t, "other paths", "a request that the Skipper doesn't name is examined", func(t *testing.T) {
		s.refused(t, s.plain, PathWhoAmI, nil, core.ErrNoToken)
	})
}

// admission sends the callers whom members tells apart.
func (s *suite) admission(t *testing.T, to server, path string) {
	t.Helper()
	for name, test := range map[string]struct {
		rule, token, caller string
		class               error
	}{
		"person": {
			"a caller passes whom every policy allows",
			s.team.SignUser(audience, ada), ada, nil,
		},
		"service": {
			"AnyOf allows whom one of its policies allows",
			s.team.SignService(audience, robot), robot, nil,
		},
		"person whom AnyOf refuses": {
			"AnyOf refuses whom none of its policies allows, with 403",
			s.team.SignUser(audience, eve), "", core.ErrForbidden,
		},
		"service whom AnyOf refuses": {
			"AnyOf refuses whom none of its policies allows, with 403",
			s.team.SignService(audience, stray), "", core.ErrForbidden,
		},
		"person whom Not refuses": {
			"AllOf refuses whom one of its policies refuses, and Not turns a policy around",
			s.team.SignUser(audience, former), "", core.ErrForbidden,
		},
		"person about whom a policy can't decide": {
			"a policy that can't decide gets the client 503",
			s.team.SignUser(audience, pending), "", core.ErrPolicyUnavailable,
		},
		"person whom another policy refuses": {
			"whatever error a policy returns, the client gets 403 and doesn't read it",
			s.team.SignUser(audience, mallory), "", core.ErrForbidden,
		},
	} {
		check(t, name, test.rule, func(t *testing.T) {
			if test.class != nil {
				s.refused(t, to, path, inHeader(test.token), test.class)
				return
			}
			if got := s.seen(t, to, path, inHeader(test.token)).Claims.name(); got != test.caller {
				t.Errorf("the handler took the caller for %q, not for %q", got, test.caller)
			}
		})
	}
}

// policies is about Rule.Policy.
func (s *suite) policies(t *testing.T) {
	s.admission(t, s.ruled, PathWhoAmI)
	check(t, "no token", "a request without a token gets 401; the policy isn't asked", func(t *testing.T) {
		s.refused(t, s.ruled, PathWhoAmI, nil, core.ErrNoToken)
	})
}

// require is about Require, with and without New before it.
func (s *suite) require(t *testing.T) {
	good := s.team.SignUser(audience, ada)
	s.admission(t, s.plain, PathRequired)
	check(t, "no token", "New refuses before Require is asked", func(t *testing.T) {
		s.refused(t, s.plain, PathRequired, nil, core.ErrNoToken)
	})
	check(t, "no policies", "Require without a policy lets every verified caller pass, and nobody else", func(t *testing.T) {
		if got := s.seen(t, s.ruled, PathRequired, inHeader(good)).Claims.name(); got != ada {
			t.Errorf("the handler took the caller for %q, not for %q", got, ada)
		}
		s.refused(t, s.ruled, PathRequireAlone, inHeader(good), core.ErrNoToken)
	})
	check(t, "without New", "Require without New before it refuses with 401, even with a good token", func(t *testing.T) {
		s.refused(t, s.plain, PathRequireAlone, nil, core.ErrNoToken)
		s.refused(t, s.plain, PathRequireAlone, inHeader(good), core.ErrNoToken)
		s.refused(t, s.plain, PathRequireAlone, inCookie(good), core.ErrNoToken)
		s.refused(t, s.handled, PathRequireAlone, inHeader(good), core.ErrNoToken)
	})
	check(t, "anonymous", "Require refuses an anonymous caller whom an optional rule let in, with 401", func(t *testing.T) {
		s.refused(t, s.optional, PathRequired, nil, core.ErrNoToken)
		if got := s.seen(t, s.optional, PathRequired, inHeader(good)).Claims.name(); got != ada {
			t.Errorf("the handler took the caller for %q, not for %q", got, ada)
		}
	})
}
