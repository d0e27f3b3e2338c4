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

// Run runs the suite. start builds a server for site, listening on loopback,
// and returns its base URL; t.Cleanup is the place to stop it. It is called a
// few times, once for each way to configure the adapter, and the servers run
// side by side. For a site with Silent set it may return "": the framework can't
// tell whether a handler answered.
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
	t.Run("silent error handler", s.silentErrorHandler)
	t.Run("decided", s.decided)
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
	pending = "pending@example.com" // a policy of the suite's own can't decide about them
	eve     = "eve@elsewhere.test"  // refused by an AnyOf
	robot   = "robot.access"
	stray   = "stray.access" // refused by an AnyOf
)

// forgedEmail is in no token.
const forgedEmail = "forged@example.com"

// reason is what the suite's own policy says. Only operators may read it.
const reason = "mallory is under investigation"

// members are the policies of the suite: every kind of combination, and one
// whose error must not reach the client.
func members() []core.Policy {
	return []core.Policy{
		core.AnyOf(core.EmailDomains("example.com"), core.Services(robot)),
		core.AllOf(core.Audience(audience), core.Not(core.Emails(former))),
		func(_ context.Context, c *core.Claims) error {
			switch c.Email {
			case mallory:
				return errors.New(reason)
			case pending:
				return fmt.Errorf("%w: %s", core.ErrPolicyUnavailable, reason)
			}
			return nil
		},
	}
}

// A suite is one run.
type suite struct {
	team   *accesstest.Team
	client *http.Client

	decisions *decisions

	plain    server // a zero Rule; Require asks members
	ruled    server // the Rule asks members; Require asks nobody
	optional server // as both, and the Rule is Optional
	handled  server // as plain, with an ErrorHandler
	silent   server // as plain, with an ErrorHandler that answers nothing; no url if the framework can't tell
	// Keys that can't be fetched, and an Optional rule.
	keyless, handledKeyless server
}

// decisions counts those of New and of Require so far.
type decisions struct{ admitted, required atomic.Int64 }

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
	s := &suite{team: team, decisions: new(decisions)}
	working, failing := s.newVerifier(t, team.URL), s.newVerifier(t, outage.URL)

	serve := func(site Site) server {
		site.record = newRecord()
		url := start(t, site)
		if site.Silent && url == "" {
			return server{}
		}
		if !strings.HasPrefix(url, "http://") {
			t.Fatalf("start returned %q, want the URL of a server, http://…", url)
		}
		// Runs before start's own: a server may wait for its handlers.
		t.Cleanup(site.record.release)
		return server{site, strings.TrimSuffix(url, "/")}
	}
	policy := core.AllOf(members()...)
	s.plain = serve(Site{Verifier: working, Policies: members()})
	s.ruled = serve(Site{Verifier: working, Rule: core.Rule{Policy: policy}})
	s.optional = serve(Site{Verifier: working, Rule: core.Rule{Optional: true, Policy: policy}, Policies: members()})
	s.handled = serve(Site{Verifier: working, Policies: members(), HandlesErrors: true})
	s.silent = serve(Site{Verifier: working, Policies: members(), HandlesErrors: true, Silent: true})
	s.keyless = serve(Site{Verifier: failing, Rule: core.Rule{Optional: true}})
	s.handledKeyless = serve(Site{Verifier: failing, Rule: core.Rule{Optional: true}, HandlesErrors: true})
	s.client = newClient()
	// Last, hence the first to run: a server may wait for idle connections.
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

// newVerifier returns a verifier that counts its decisions.
func (s *suite) newVerifier(t *testing.T, endpoint string) *core.Verifier {
	t.Helper()
	v, err := core.New(core.Config{
		Team:      teamName,
		Audiences: []string{audience},
		Endpoint:  endpoint,
		Logger:    slog.New(slog.DiscardHandler),
		Hooks: core.Hooks{Decided: func(_ context.Context, d core.Decision) {
			if d.Required {
				s.decisions.required.Add(1)
			} else {
				s.decisions.admitted.Add(1)
			}
		}},
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
