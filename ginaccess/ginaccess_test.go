package ginaccess_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
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

// A refusal is in c.Errors, where gin's users look for it, and matches core's error.
func TestRefusalIsInErrors(t *testing.T) {
	v, team := newVerifier(t)
	user := team.SignUser(audience, "ada@example.com")
	own := &gin.Error{Err: errors.New("not for clients")} // c.Error would take it out of the policy's error
	for name, test := range map[string]struct {
		token  string
		policy core.Policy
		want   error
	}{
		"New":              {"", core.Users(), core.ErrNoToken},
		"Require":          {user, core.Services(), core.ErrForbidden},
		"Require, its own": {user, func(context.Context, *core.Claims) error { return own }, core.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			router := gin.New()
			router.Use(func(c *gin.Context) {
				c.Next()
				if len(c.Errors) != 1 || !c.IsAborted() || !errors.Is(c.Errors.Last(), test.want) || c.Errors[0].Error() != core.Refuse(test.want).Detail {
					t.Errorf("errors %v, aborted: %v", c.Errors, c.IsAborted())
				}
			})
			router.GET("/", ginaccess.New(v), ginaccess.Require(test.policy), func(*gin.Context) { t.Error("the handler ran") })
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set(core.TokenHeader, test.token)
			router.ServeHTTP(httptest.NewRecorder(), r)
		})
	}
}

// Gin sets the status to 404 before middleware runs where there is no route. An
// ErrorHandler that only sets a status has answered.
func TestNoRoute(t *testing.T) {
	v, _ := newVerifier(t)
	for name, test := range map[string]struct {
		handle func(*gin.Context, error)
		status int
	}{
		"no ErrorHandler":     {nil, http.StatusUnauthorized},
		"silent ErrorHandler": {func(*gin.Context, error) {}, http.StatusUnauthorized},
		"status alone":        {func(c *gin.Context, _ error) { c.Status(http.StatusTeapot) }, http.StatusTeapot},
	} {
		t.Run(name, func(t *testing.T) {
			router := gin.New()
			router.Use(ginaccess.New(v, ginaccess.Config{ErrorHandler: test.handle}))
			w := httptest.NewRecorder()
			router.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/nothing", nil))
			if w.Code != test.status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, test.status)
			}
		})
	}
}
