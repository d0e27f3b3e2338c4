package conformance

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// Run runs the suite. start builds a server for site, listening on loopback,
// and returns its base URL; t.Cleanup is the place to stop it. It is called a
// few times, once for each way to configure the adapter, and the servers run
// side by side.
func Run(t *testing.T, start func(t *testing.T, site Site) (url string)) {
	s := newSuite(t, start)
	t.Run("refusal", s.refusals)
	t.Run("token", s.tokens)
	t.Run("claims", s.claims)
	t.Run("email header", s.emailHeader)
	t.Run("optional", s.optionals)
	t.Run("skipped", s.skipped)
	t.Run("policy", s.policies)
	t.Run("require", s.require)
	t.Run("error handler", s.errorHandler)
	t.Run("handler", s.handlers)
	t.Run("crowd", s.crowd)
}

const (
	teamName = "acme"
	audience = "32eafc7626e737aacf9ab6dbf6fe6f6ce3f0d5ad0b8d0a9d3b9a2d3c3a2b4228"
)

// The callers. members says which of them pass where there is a policy.
const (
	ada     = "ada@example.com"
	bob     = "bob@example.com"
	former  = "former@example.com"  // refused by a Not
	mallory = "mallory@example.com" // refused by a policy of the suite's own
	eve     = "eve@elsewhere.test"  // refused by an AnyOf
	robot   = "robot.access"
	stray   = "stray.access" // refused by an AnyOf
)

// reason is what the suite's own policy says. Only operators may read it.
const reason = "mallory is under investigation"

// members are the policies of the suite: every kind of combination, and one
// whose error must not reach the client.
func members() []core.Policy {
	return []core.Policy{
		core.AnyOf(core.EmailDomains("example.com"), core.Services(robot)),
		core.AllOf(core.Audience(audience), core.Not(core.Emails(former))),
		func(_ context.Context, c *core.Claims) error {
			if c.Email == mallory {
				return errors.New(reason)
			}
			return nil
		},
	}
}

// A suite is one run.
type suite struct {
	team   *accesstest.Team
	client *http.Client

	plain    server // a zero Rule; Require asks members
	ruled    server // the Rule asks members; Require asks nobody
	optional server // as both, and the Rule is Optional
	handled  server // as plain, with an ErrorHandler
	// Keys that can't be fetched, and an Optional rule.
	keyless, handledKeyless server
}

// A server is a site that is up.
type server struct {
	Site
	url string
}

func newSuite(t *testing.T, start func(*testing.T, Site) string) *suite {
	team := accesstest.NewTeam(teamName)
	t.Cleanup(team.Close)
	outage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(outage.Close)
	working, failing := newVerifier(t, team.URL), newVerifier(t, outage.URL)

	serve := func(site Site) server {
		site.record = newRecord()
		url := start(t, site)
		if !strings.HasPrefix(url, "http://") {
			t.Fatalf("start returned %q, want the URL of a server, http://…", url)
		}
		// Runs before start's own: a server may wait for its handlers.
		t.Cleanup(site.record.release)
		return server{site, strings.TrimSuffix(url, "/")}
	}
	policy := core.AllOf(members()...)
	s := &suite{
		team:           team,
		plain:          serve(Site{Verifier: working, Policies: members()}),
		ruled:          serve(Site{Verifier: working, Rule: core.Rule{Policy: policy}}),
		optional:       serve(Site{Verifier: working, Rule: core.Rule{Optional: true, Policy: policy}, Policies: members()}),
		handled:        serve(Site{Verifier: working, Policies: members(), HandlesErrors: true}),
		keyless:        serve(Site{Verifier: failing, Rule: core.Rule{Optional: true}}),
		handledKeyless: serve(Site{Verifier: failing, Rule: core.Rule{Optional: true}, HandlesErrors: true}),
	}
	s.client = newClient()
	// Last, hence the first to run: a server may wait for idle connections.
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

func newVerifier(t *testing.T, endpoint string) *core.Verifier {
	t.Helper()
	v, err := core.New(core.Config{
		Team:      teamName,
		Audiences: []string{audience},
		Endpoint:  endpoint,
		Logger:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// check runs a subtest. If it fails, it says which rule was broken.
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
