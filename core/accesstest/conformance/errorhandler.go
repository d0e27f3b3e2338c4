package conformance

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// errorHandler is about the ErrorHandler of an adapter's Config.
func (s *suite) errorHandler(t *testing.T) {
	const rule = "the ErrorHandler alone answers, and gets an error that matches the one of core with errors.Is; " +
		"core.Refuse makes of it what it makes of core's"
	for _, p := range s.provocations() {
		to := s.handled
		if p.keyless {
			to = s.handledKeyless
		}
		check(t, p.name, rule, func(t *testing.T) { s.handledBy(t, to, p.path, p.header, p.class) })
	}

	noToken := class{"ErrNoToken", core.ErrNoToken}
	check(t, "Require, anonymous", "the ErrorHandler of New answers for the Require behind it", func(t *testing.T) {
		s.handledBy(t, s.handledKeyless, PathRequired, nil, noToken)
	})
	check(t, "forged email", "a forged email header is removed before the ErrorHandler sees the request", func(t *testing.T) {
		for _, name := range emailSpellings {
			s.handledBy(t, s.handled, PathWhoAmI, http.Header{name: {forgedEmail}}, noToken)
			forbidden := with(inHeader(s.team.SignUser(audience, ada, accesstest.SignedByStranger())), name, forgedEmail)
			s.handledBy(t, s.handled, PathRequired, forbidden, class{"ErrSignature", core.ErrSignature})
		}
	})
	check(t, "passing requests", "a request that passes isn't the ErrorHandler's", func(t *testing.T) {
		good := inHeader(s.team.SignUser(audience, ada))
		for _, path := range []string{PathWhoAmI, PathRequired} {
			if got := s.seen(t, s.handled, path, good).Claims.name(); got != ada {
				t.Errorf("the handler took the caller for %q, not for %q", got, ada)
			}
		}
		anonymous(t, s.seen(t, s.handled, PathSkipped, nil))
	})
	check(t, "failing handler", "a handler's own error isn't the ErrorHandler's", func(t *testing.T) {
		s.untouched(t, s.handled, PathFailure, PathBareFailure)
	})
}

// silentErrorHandler is about an ErrorHandler that answers nothing.
func (s *suite) silentErrorHandler(t *testing.T) {
	if s.silent.url == "" {
		t.Skip("the framework can't tell whether a handler answered")
	}
	const rule = "where the ErrorHandler answers nothing, the default answer is sent, and not an empty 200"
	for _, p := range s.provocations() {
		if p.keyless {
			continue
		}
		check(t, p.name, rule, func(t *testing.T) {
			before := s.silent.record.handled.Load()
			s.refused(t, s.silent, p.path, p.header, p.err)
			if calls := s.silent.record.handled.Load() - before; calls != 1 {
				t.Errorf("the ErrorHandler was called %d times", calls)
			}
		})
	}
}

// decided is about Hooks.Decided.
func (s *suite) decided(t *testing.T) {
	good := s.team.SignUser(audience, ada)
	for name, test := range map[string]struct {
		path               string
		header             http.Header
		admitted, required int64
	}{
		"passing":             {PathWhoAmI, inHeader(good), 1, 0},
		"passing Require":     {PathRequired, inHeader(good), 1, 1},
		"no token":            {PathRequired, nil, 1, 0},
		"several cookies":     {PathWhoAmI, inCookie("x", "y", good), 1, 0},
		"refused by Require":  {PathRequired, inHeader(s.team.SignUser(audience, mallory)), 1, 1},
		"skipped":             {PathSkipped, inHeader(good), 0, 0},
		"Require without New": {PathRequireAlone, inHeader(good), 0, 0},
	} {
		check(t, name, "each request is decided once by New, and once by Require behind it", func(t *testing.T) {
			admitted, required := s.decisions.admitted.Load(), s.decisions.required.Load()
			s.send(t, s.plain, http.MethodGet, test.path, test.header, "")
			admitted, required = s.decisions.admitted.Load()-admitted, s.decisions.required.Load()-required
			if admitted != test.admitted || required != test.required {
				t.Errorf("%d decisions of New and %d of Require, want %d and %d", admitted, required, test.admitted, test.required)
			}
		})
	}
}

func (s *suite) handledBy(t *testing.T, to server, path string, header http.Header, c class) {
	t.Helper()
	want := handledText(c.name, decide(t.Context(), to.Site, path, header))
	got := s.send(t, to, http.MethodGet, path, header, "")
	if got.status != HandledStatus || strings.TrimSpace(got.body) != want {
		t.Errorf("got %d %q, want the ErrorHandler's %d %q", got.status, got.body, HandledStatus, want)
	}
	if got.calls != 0 {
		t.Errorf("the handler was called %d times", got.calls)
	}
	for _, name := range []string{"Cache-Control", "Www-Authenticate", "Retry-After"} {
		if values := got.header.Values(name); len(values) != 0 {
			t.Errorf("%s: %q was sent, and not by the ErrorHandler", name, values)
		}
	}
}
