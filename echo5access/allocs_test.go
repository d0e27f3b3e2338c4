//go:build !race

package echo5access_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v5"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/echo5access"
)

// The race detector allocates too, so this file is built without it.

// serve returns a call that serves one request with a cached token behind
// the middleware.
func serve(t testing.TB, token string, middleware echo.MiddlewareFunc) func() {
	t.Helper()
	e := echo.New()
	e.GET("/", func(*echo.Context) error { return nil }, middleware)
	ctx, cancel := context.WithCancel(context.Background()) // a server's request has no bare Background
	t.Cleanup(cancel)
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.Header.Set(core.TokenHeader, token)
	r.Header.Set(core.EmailHeader, "ada@example.com") // as Access sends it
	w := httptest.NewRecorder()
	return func() { e.ServeHTTP(w, r) }
}

func passThrough(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error { return next(c) }
}

// A protected request adds few allocations to one that passes through.
func TestAllocationsOfAProtectedRequest(t *testing.T) {
	v, team := newVerifier(t)
	token := team.SignUser(audience, "ada@example.com")
	bare := testing.AllocsPerRun(1000, serve(t, token, passThrough))
	protected := testing.AllocsPerRun(1000, serve(t, token, echo5access.New(v)))
	if protected-bare > 2 {
		t.Errorf("%v allocations, and %v without protection: want at most 2 more", protected, bare)
	}
}

func BenchmarkRequest(b *testing.B) {
	v, team := newVerifier(b)
	token := team.SignUser(audience, "ada@example.com")
	for name, middleware := range map[string]echo.MiddlewareFunc{
		"bare": passThrough, "protected": echo5access.New(v),
	} {
		b.Run(name, func(b *testing.B) {
			call := serve(b, token, middleware)
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}
