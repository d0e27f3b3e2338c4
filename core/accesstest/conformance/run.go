package conformance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// Run runs the suite. start builds the server of app on loopback and returns its
// base URL; t.Cleanup is the place to stop it. It is called once for each way to
// configure the adapter, and several servers run at the same time. For an app
// with Silent, ShowsErrors or HTTP2 it may return "", and the cases of that app
// are skipped.
func Run(t *testing.T, start func(t *testing.T, app App) (url string)) {
	team := accesstest.NewTeam(teamName)
	t.Cleanup(team.Close)
	s := newSuite(t, team, start)
	for _, section := range sections {
		t.Run(section.name, func(t *testing.T) { section.run(s, t) })
	}
}

var sections = []struct {
	name string
	run  func(*suite, *testing.T)
}{
	{"refusal", (*suite).refusals},
	{"token", func(s *suite, t *testing.T) { s.tokens(t, s.plain) }},
	{"claims", (*suite).claims},
	{"email header", func(s *suite, t *testing.T) { s.emailHeader(t, s.plain) }},
	{"connection", (*suite).connection},
	{"trailer", (*suite).trailers},
	{"optional", (*suite).optional},
	{"skipped", (*suite).skipped},
	{"skip paths", (*suite).skipPaths},
	{"nested", (*suite).nested},
	{"policy", (*suite).policies},
	{"require", (*suite).require},
	{"groups", (*suite).groups},
	{"error handler", (*suite).errorHandler},
	{"silent error handler", (*suite).silentErrorHandler},
	{"shown errors", (*suite).shownErrors},
	{"decided", (*suite).decided},
	{"handler", (*suite).handlers},
	{"panics", (*suite).panics},
	{"http2", (*suite).http2},
	{"concurrent", (*suite).concurrent},
}

const (
	teamName = "acme"
	audience = "32eafc7626e737aacf9ab6dbf6fe6f6ce3f0d5ad0b8d0a9d3b9a2d3c3a2b4228"
)

// The callers. Where policies are asked, ada, bob and robot pass.
const (
	ada       = "ada@example.com"
	bob       = "bob@example.com"
	former    = "former@example.com"  // refused by a Not
	mallory   = "mallory@example.com" // refused by a policy of the suite's own
	pending   = "pending@example.com" // that policy can't decide about them
	eve       = "eve@elsewhere.test"  // refused by an AnyOf
	robot     = "robot.access"
	stray     = "stray.access" // refused by an AnyOf
	anonymous = "anonymous"    // without claims
)

// forgedEmail is in no token.
const forgedEmail = "forged@example.com"

// secretReason is the text of a policy's error. No client may read it.
const secretReason = "mallory is under investigation"

// policies returns one policy of each kind of combination, and one of the suite's
// own.
func policies() []core.Policy {
	return []core.Policy{
		core.AnyOf(core.EmailDomains("example.com"), core.Services(robot)),
		core.AllOf(core.Audience(audience), core.Not(core.Emails(former))),
		func(_ context.Context, c *core.Claims) error {
			switch c.Email {
			case mallory:
				return errors.New(secretReason)
			case pending:
				return fmt.Errorf("%w: %s", core.ErrPolicyUnavailable, secretReason)
			}
			return nil
		},
	}
}

// A suite is one run.
type suite struct {
	team   *accesstest.Team
	start  func(*testing.T, App) string
	client *http.Client

	verifier *core.Verifier
	keyless  *core.Verifier // its keys can't be fetched
	admitted atomic.Int64   // decisions of New
	required atomic.Int64   // decisions of Require

	plain server // a zero Rule; Require asks policies
}

// A server is an app that is up.
type server struct {
	App
	url string
}

func newSuite(t *testing.T, team *accesstest.Team, start func(*testing.T, App) string) *suite {
	outage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(outage.Close)
	s := &suite{team: team, start: start, client: newClient()}
	s.verifier, s.keyless = s.newVerifier(t, team.URL), s.newVerifier(t, outage.URL)
	s.plain = s.serve(t, App{Policies: policies(), inner: &App{Rule: core.Rule{Policy: core.Not(core.Emails(bob))}}})
	return s
}

func (s *suite) newVerifier(t *testing.T, endpoint string) *core.Verifier {
	t.Helper()
	v, err := core.New(core.Config{
		Team:      teamName,
		Audiences: []string{audience},
		Endpoint:  endpoint,
		Logger:    slog.New(slog.DiscardHandler),
		Hooks: core.Hooks{Decided: func(_ context.Context, d core.Decision) {
			if d.Required {
				s.required.Add(1)
			} else {
				s.admitted.Add(1)
			}
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// serve starts a server that runs until t ends. It skips t if the framework has
// no such server. Without a Verifier, app gets the one that works.
func (s *suite) serve(t *testing.T, app App) server {
	t.Helper()
	app.name, app.record = "New", &record{gate: make(chan struct{})}
	if app.Verifier == nil {
		app.Verifier = s.verifier
	}
	if app.inner == nil {
		app.inner = &App{}
	}
	url := s.start(t, app)
	// Both run before the cleanups of start: a server may wait for its handlers
	// and for idle connections.
	t.Cleanup(s.client.CloseIdleConnections)
	t.Cleanup(app.record.openGate)
	switch {
	case url == "" && (app.Silent || app.ShowsErrors || app.HTTP2):
		t.Skip("the framework has no such server")
	case !strings.HasPrefix(url, "http"):
		t.Fatalf("start returned %q, want the URL of a server", url)
	}
	return server{app, strings.TrimSuffix(url, "/")}
}

// check runs a subtest. If it fails, it prints the rule that was broken.
func check(t *testing.T, name, rule string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		defer func() {
			if t.Failed() {
				t.Logf("the rule: %s", rule)
			}
		}()
		test(t)
	})
}
