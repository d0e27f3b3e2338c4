package echoaccess_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/echoaccess"
)

const audience = "32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228"

func newVerifier(t testing.TB) (*core.Verifier, *accesstest.Team) {
	t.Helper()
	team := accesstest.NewTeam("acme")
	t.Cleanup(team.Close)
	v, err := core.New(core.Config{
		Team: "acme", Audiences: []string{audience}, Endpoint: team.URL,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return v, team
}

// The app's own HTTPErrorHandler gets a refusal as echo's errors are: the outermost
// error is an *echo.HTTPError, and core's error is inside. Echo shows clients an
// *echo.HTTPError that is inside another, and so never one of a policy.
func TestRefusalReachesTheErrorHandler(t *testing.T) {
	v, team := newVerifier(t)
	user := team.SignUser(audience, "ada@example.com")
	own := func(context.Context, *core.Claims) error {
		return echo.NewHTTPError(http.StatusTeapot, "not for clients")
	}
	for name, test := range map[string]struct {
		token  string
		policy core.Policy
		want   error
	}{
		"New":              {"", core.Users(), core.ErrNoToken},
		"Require":          {user, core.Services(), core.ErrForbidden},
		"Require, its own": {user, own, core.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			e := echo.New()
			e.HTTPErrorHandler = func(err error, c echo.Context) {
				if refused, ok := err.(*echo.HTTPError); !ok || refused.Code != core.Refuse(test.want).Status || !errors.Is(err, test.want) {
					t.Errorf("got %v", err)
				}
				e.DefaultHTTPErrorHandler(err, c)
			}
			e.GET("/", func(echo.Context) error { t.Error("the handler ran"); return nil },
				echoaccess.New(v), echoaccess.Require(test.policy))
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set(core.TokenHeader, test.token)
			w := httptest.NewRecorder()
			e.ServeHTTP(w, r)
			if want := core.Refuse(test.want); w.Code != want.Status || w.Body.String() != string(want.Body()) {
				t.Errorf("the client got %d %s", w.Code, w.Body)
			}
		})
	}
}

// An ErrorHandler may hand its error on: the answer is the default one, and with
// Debug no policy's text is shown.
func TestErrorHandlerReturnsItsError(t *testing.T) {
	v, team := newVerifier(t)
	e := echo.New()
	e.Debug = true
	secret := func(context.Context, *core.Claims) error { return errors.New("ada is under investigation") }
	e.GET("/", func(echo.Context) error { return nil }, echoaccess.New(v, echoaccess.Config{
		Rule:         core.Rule{Policy: secret},
		ErrorHandler: func(_ echo.Context, err error) error { return err },
	}))
	for token, want := range map[string]int{"": http.StatusUnauthorized, team.SignUser(audience, "ada@example.com"): http.StatusForbidden} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set(core.TokenHeader, token)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != want || w.Header().Get("Cache-Control") != "no-store" || strings.Contains(w.Body.String(), "investigation") {
			t.Errorf("got %d %v %s, want %d", w.Code, w.Header(), w.Body, want)
		}
	}
}
