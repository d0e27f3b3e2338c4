package ginaccess_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/ginaccess"
)

const audience = "32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228"

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	m.Run()
}

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

// A refusal is where gin's users look for it, and no handler after it runs.
func TestRefusalIsInErrors(t *testing.T) {
	v, team := newVerifier(t)
	user := team.SignUser(audience, "ada@example.com")
	for name, test := range map[string]struct {
		token string
		want  error
	}{
		"New":     {"", core.ErrNoToken},
		"Require": {user, core.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			router := gin.New()
			var last error
			router.Use(func(c *gin.Context) {
				c.Next()
				if len(c.Errors) != 1 || !c.IsAborted() {
					t.Errorf("%d errors, aborted: %v", len(c.Errors), c.IsAborted())
				}
				last = c.Errors.Last()
			})
			router.GET("/", ginaccess.New(v), ginaccess.Require(core.Services()), func(*gin.Context) { t.Error("the handler ran") })
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if test.token != "" {
				r.Header.Set(core.TokenHeader, test.token)
			}
			router.ServeHTTP(httptest.NewRecorder(), r)
			if !errors.Is(last, test.want) {
				t.Errorf("got %v, want %v", last, test.want)
			}
		})
	}
}

// Claims are where gin's users look for values.
func TestClaimsAreInTheContext(t *testing.T) {
	v, team := newVerifier(t)
	router := gin.New()
	router.GET("/", ginaccess.New(v), func(c *gin.Context) {
		claims, ok := ginaccess.Claims(c)
		if same, found := c.Get("cfaccess"); !ok || !found || same != claims {
			t.Errorf("c.Get finds %v, %v; Claims %v, %v", same, found, claims, ok)
		}
	})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set(core.TokenHeader, team.SignUser(audience, "ada@example.com"))
	router.ServeHTTP(httptest.NewRecorder(), r)
}

func TestPanicsAtConstruction(t *testing.T) {
	for name, construct := range map[string]func(){
		"a nil Verifier": func() { ginaccess.New(nil) },
		"a nil Policy":   func() { ginaccess.Require(nil) },
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

// gin.ErrorLogger, and middleware of applications, renders c.Errors for the
// client: what is in there shows the public detail only.
func TestErrorLoggerShowsThePublicDetail(t *testing.T) {
	v, team := newVerifier(t)
	router := gin.New()
	router.Use(gin.ErrorLogger())
	secret := func(context.Context, *core.Claims) error { return errors.New("ada is under investigation") }
	router.GET("/", ginaccess.New(v), ginaccess.Require(secret), func(*gin.Context) {})
	for name, token := range map[string]string{
		"New":     team.SignUser("another application's", "ada@example.com"),
		"Require": team.SignUser(audience, "ada@example.com"),
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set(core.TokenHeader, token)
			w := httptest.NewRecorder()
			router.ServeHTTP(w, r)
			for _, word := range []string{"cfaccess", "investigation", audience} {
				if strings.Contains(w.Body.String(), word) {
					t.Errorf("the client reads %q: %s", word, w.Body)
				}
			}
		})
	}
}

// Gin's own context is a context.Context too, and people pass it on.
func TestFromContextTakesGinsContext(t *testing.T) {
	v, team := newVerifier(t)
	router := gin.New()
	router.GET("/", ginaccess.New(v), func(c *gin.Context) {
		if claims, ok := core.FromContext(c); !ok || claims.Email != "ada@example.com" {
			t.Errorf("core.FromContext finds %v, %v", claims, ok)
		}
	})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set(core.TokenHeader, team.SignUser(audience, "ada@example.com"))
	router.ServeHTTP(httptest.NewRecorder(), r)
}

func TestSkipPathsComparesExactly(t *testing.T) {
	v, _ := newVerifier(t)
	router := gin.New()
	router.RedirectTrailingSlash = false
	router.Use(ginaccess.New(v, ginaccess.Config{Skipper: ginaccess.SkipPaths("/healthz")}))
	router.NoRoute(func(*gin.Context) {})
	router.GET("/healthz", func(*gin.Context) {})
	for path, want := range map[string]int{
		"/healthz": http.StatusOK, "/healthz?probe=1": http.StatusOK,
		"/healthz/": 401, "/healthz/../admin": 401, "/%68ealthz": 401, "//healthz": 401, "/HEALTHZ": 401, "/healthz;x": 401, "/healthz%2f..%2fadmin": 401,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL, _ = url.ParseRequestURI(path)
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		if got := w.Code; got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
}
