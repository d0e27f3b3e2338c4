package conformance

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
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
