package conformance

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
)

// errorHandler tests the ErrorHandler of an adapter's Config.
func (s *suite) errorHandler(t *testing.T) {
	const rule = "the ErrorHandler alone answers. Its error matches core's with errors.Is, core.Refuse makes the same of it, and no forged email header is left"
	app := s.serve(t, App{HandlesErrors: true, Policies: policies(), inner: &App{Rule: core.Rule{Policy: core.Not(core.Emails(bob))}}})
	keyless := s.serve(t, App{HandlesErrors: true, Verifier: s.keyless, Rule: core.Rule{Optional: true}, inner: &App{HandlesErrors: true}})
	for _, p := range s.provocations() {
		to := app
		if p.keyless {
			to = keyless
		}
		check(t, p.name, rule, func(t *testing.T) {
			for _, name := range emailSpellings {
				s.handles(t, to, to.App, p.path, with(p.header, name, forgedEmail), p.class)
			}
		})
	}

	good, refused := inHeader(s.team.SignUser(audience, ada)), inHeader(s.team.SignUser(audience, bob))
	noToken, forbidden := class{"ErrNoToken", core.ErrNoToken}, class{"ErrForbidden", core.ErrForbidden}
	noKeys := class{"ErrKeysUnavailable", core.ErrKeysUnavailable}
	check(t, "Require, anonymous", "the ErrorHandler of New answers for the Require behind it", func(t *testing.T) {
		s.handles(t, keyless, keyless.App, PathRequired, nil, noToken)
	})
	check(t, "nested, outer", "the ErrorHandler of the outer New answers where the inner has none", func(t *testing.T) {
		s.handles(t, app, app.App, PathNested, nil, noToken)
		s.handles(t, app, app.App, PathNested, refused, forbidden)
	})
	check(t, "nested, inner", "the ErrorHandler of the inner New answers for what is behind the outer one", func(t *testing.T) {
		s.handles(t, keyless, keyless.App, PathNested, good, noKeys)
		s.handles(t, keyless, keyless.Inner(), PathNested, nil, noToken)
		inner := s.serve(t, App{inner: &App{HandlesErrors: true, Policies: []core.Policy{core.Services()}}})
		s.refuses(t, inner, PathNested, nil, core.ErrNoToken)
		s.handles(t, inner, inner.Inner(), PathNested, good, forbidden)
	})
	check(t, "passing requests", "a request that passes doesn't call the ErrorHandler", func(t *testing.T) {
		for _, path := range []string{PathWhoAmI, PathRequired, PathNested, PathNestedSkipped} {
			s.admits(t, app, path, good, ada)
		}
		s.admits(t, app, PathSkipped, nil, anonymous)
	})
	check(t, "without New", "a Require without New has no ErrorHandler", func(t *testing.T) {
		s.refuses(t, app, PathRequireAlone, good, core.ErrNoToken)
	})
	check(t, "failing handler", "a handler's own error doesn't reach the ErrorHandler", func(t *testing.T) {
		s.untouched(t, app, PathFailure, PathBareFailure)
	})
}

// handles sends a GET that is refused with an error of that class, and that the
// ErrorHandler of handler has to answer.
func (s *suite) handles(t *testing.T, to server, handler App, path string, header http.Header, c class) {
	t.Helper()
	want := handler.handled(c.name, verdict(t.Context(), to.App, path, header))
	got := s.get(t, to, path, header)
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

// silentErrorHandler tests an ErrorHandler that answers nothing.
func (s *suite) silentErrorHandler(t *testing.T) {
	app := s.serve(t, App{HandlesErrors: true, Silent: true, Policies: policies()})
	for _, p := range s.provocations() {
		if p.keyless {
			continue
		}
		check(t, p.name, "where the ErrorHandler answers nothing, the default answer is sent, and not an empty 200", func(t *testing.T) {
			before := app.record.handled.Load()
			s.refuses(t, app, p.path, p.header, p.err)
			if calls := app.record.handled.Load() - before; calls != 1 {
				t.Errorf("the ErrorHandler was called %d times", calls)
			}
		})
	}
}

// shownErrors tests the framework's own ways to show errors to clients.
func (s *suite) shownErrors(t *testing.T) {
	app := s.serve(t, App{ShowsErrors: true, Policies: policies()})
	for _, p := range s.provocations() {
		if p.keyless {
			continue
		}
		check(t, p.name, "what the framework shows of an error is the public detail, and the status stays", func(t *testing.T) {
			want := s.refusal(t, app, p.path, p.header, p.err)
			for _, query := range []string{"", "?pretty"} {
				got := s.get(t, app, p.path+query, p.header)
				for _, a := range aspects {
					if wrong := a.wrong(got, want); wrong != "" && (a.name == "handler" || a.name == "status" || a.name == "secrets") {
						t.Errorf("%s: %s", a.name, wrong)
					}
				}
				if !strings.Contains(got.body, want.Detail) {
					t.Errorf("the answer lacks %q: %s", want.Detail, got.body)
				}
			}
		})
	}
}

// decided tests how often Hooks.Decided is called.
func (s *suite) decided(t *testing.T) {
	good, refused := inHeader(s.team.SignUser(audience, ada)), inHeader(s.team.SignUser(audience, mallory))
	for name, test := range map[string]struct {
		path               string
		header             http.Header
		admitted, required int64
	}{
		"passing":             {PathWhoAmI, good, 1, 0},
		"passing Require":     {PathRequired, good, 1, 1},
		"no token":            {PathRequired, nil, 1, 0},
		"several cookies":     {PathWhoAmI, inCookie("x", "y", good.Get(core.TokenHeader)), 1, 0},
		"refused by Require":  {PathRequired, refused, 1, 1},
		"skipped":             {PathSkipped, good, 0, 0},
		"Require without New": {PathRequireAlone, good, 0, 0},
		"nested":              {PathNested, good, 2, 1},
		"nested, skipped":     {PathNestedSkipped, good, 1, 0},
	} {
		check(t, name, "New decides once about each request, and Require once behind it", func(t *testing.T) {
			admitted, required := s.admitted.Load(), s.required.Load()
			s.get(t, s.plain, test.path, test.header)
			admitted, required = s.admitted.Load()-admitted, s.required.Load()-required
			if admitted != test.admitted || required != test.required {
				t.Errorf("%d decisions of New and %d of Require, want %d and %d", admitted, required, test.admitted, test.required)
			}
		})
	}
}
