package echoaccess_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// The app's own HTTPErrorHandler gets the refusal as echo's errors are: an
// outermost *echo.HTTPError, with core's error inside.
func TestRefusalReachesTheErrorHandler(t *testing.T) {
	v, team := newVerifier(t)
	for name, test := range map[string]struct {
		token  string
		want   error
		status int
	}{
		"New":     {"", core.ErrNoToken, http.StatusUnauthorized},
		"Require": {team.SignUser(audience, "ada@example.com"), core.ErrForbidden, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			e := echo.New()
			var got error
			e.HTTPErrorHandler = func(err error, c echo.Context) { got = err }
			e.GET("/", func(echo.Context) error { t.Error("the handler ran"); return nil },
				echoaccess.New(v), echoaccess.Require(core.Services()))
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if test.token != "" {
				r.Header.Set(core.TokenHeader, test.token)
			}
			e.ServeHTTP(httptest.NewRecorder(), r)
			refusal, ok := got.(*echo.HTTPError) // as echo's own handler looks for it
			if !ok || refusal.Code != test.status || !errors.Is(got, test.want) {
				t.Errorf("got %v", got)
			}
		})
	}
}

// With Debug, echo shows clients the text of errors: not of these.
func TestDebugLeaksNothing(t *testing.T) {
	v, _ := newVerifier(t)
	e := echo.New()
	e.Debug = true
	e.GET("/", func(echo.Context) error { return nil }, echoaccess.New(v))
	for _, path := range []string{"/", "/?pretty"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set(core.TokenHeader, "x")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if body := w.Body.String(); strings.Contains(body, "cfaccess") || !strings.Contains(body, "token_invalid") {
			t.Errorf("%s: %s", path, body)
		}
	}
}

func TestPanicsAtConstruction(t *testing.T) {
	for name, construct := range map[string]func(){
		"a nil Verifier": func() { echoaccess.New(nil) },
		"a nil Policy":   func() { echoaccess.Require(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			construct()
		})
	}
}

func TestSkipPathsComparesExactly(t *testing.T) {
	v, _ := newVerifier(t)
	e := echo.New()
	e.Use(echoaccess.New(v, echoaccess.Config{Skipper: echoaccess.SkipPaths("/healthz")}))
	e.GET("/healthz", func(echo.Context) error { return nil })
	for path, want := range map[string]int{
		"/healthz": http.StatusOK, "/healthz?probe=1": http.StatusOK,
		"/healthz/": 401, "/healthz/../admin": 401, "/%68ealthz": 401, "//healthz": 401, "/HEALTHZ": 401, "/healthz;x": 401, "/healthz%2f..%2fadmin": 401,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL, _ = url.ParseRequestURI(path)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if got := w.Code; got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
}
