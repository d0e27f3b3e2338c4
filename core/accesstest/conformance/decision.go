package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
)

// A decision is a GET request and what has to come of it: either a caller reaches
// the handler, or the request is refused with an error of a class.
type decision struct {
	rule   string
	to     server
	path   string
	header http.Header
	caller string
	class  error
}

// decisions runs a subtest for each row. Every request brings a forged email
// header, unless its header has one.
func (s *suite) decisions(t *testing.T, table map[string]decision) {
	for name, d := range table {
		check(t, name, d.rule, func(t *testing.T) {
			header := with(d.header, core.EmailHeader, forgedEmail)
			if d.class != nil {
				s.refuses(t, d.to, d.path, header, d.class)
			} else {
				s.admits(t, d.to, d.path, header, d.caller)
			}
		})
	}
}

// admits sends a GET with which caller must reach the handler.
func (s *suite) admits(t *testing.T, to server, path string, header http.Header, caller string) report {
	t.Helper()
	return reached(t, s.get(t, to, path, header), caller)
}

// reached checks that the request of this answer reached the handler once, with
// the claims of caller and with the verified email, if any, in the email header.
func reached(t *testing.T, got answer, caller string) report {
	t.Helper()
	saw, err := parseReport(got, caller)
	if err != nil {
		t.Fatal(err)
	}
	if got.calls != 1 {
		t.Errorf("one request called the handler %d times", got.calls)
	}
	return saw
}

// parseReport is reached without the number of calls, which concurrent requests
// can't tell apart.
func parseReport(got answer, caller string) (report, error) {
	var saw report
	if got.status != http.StatusOK {
		return saw, fmt.Errorf("the request must reach the handler; it was answered with %d: %.300s", got.status, got.body)
	}
	if err := json.Unmarshal([]byte(got.body), &saw); err != nil {
		return saw, fmt.Errorf("the answer isn't that of App.Report: %w: %.300s", err, got.body)
	}
	if saw.Wrong != "" {
		return saw, errors.New(saw.Wrong)
	}
	if saw.caller() != caller {
		return saw, fmt.Errorf("the handler saw the claims of %q, not of %q", saw.caller(), caller)
	}
	email := caller
	if !strings.Contains(caller, "@") {
		email = ""
	}
	if strings.Join(saw.Emails, ", ") != email || len(saw.Emails) > 1 || email == "" && len(saw.Emails) > 0 {
		return saw, fmt.Errorf("the handler saw the email header %q, want %q: it holds the verified email, or is removed", saw.Emails, email)
	}
	return saw, nil
}

// verdict is what core decides about a GET request: an adapter without a framework.
func verdict(ctx context.Context, app App, path string, header http.Header) error {
	var canonical = http.Header{}
	for name, values := range header {
		for _, value := range values {
			canonical.Add(name, value)
		}
	}
	admit := func(app App) error {
		claims, err := app.Verifier.Admit(ctx, canonical, app.Rule)
		if claims != nil {
			ctx = core.NewContext(ctx, claims)
		}
		return err
	}
	if path != PathRequireAlone {
		if err := admit(app); err != nil {
			return err
		}
	}
	if path == PathNested {
		app = app.Inner()
		if err := admit(app); err != nil {
			return err
		}
	}
	if path == PathRequired || path == PathRequireAlone || path == PathNested {
		_, err := core.Require(ctx, core.AllOf(app.Policies...))
		return err
	}
	return nil
}
