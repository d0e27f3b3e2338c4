//go:build !race

package echoaccess_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/echoaccess"
)

// A protected request with a cached token adds at most four allocations to one
// that passes through. The race detector allocates too, so this isn't built with
// it.
func TestAllocations(t *testing.T) {
	v, team := newVerifier(t)
	token := team.SignUser(audience, "ada@example.com")
	ctx, cancel := context.WithCancel(t.Context()) // a server's request doesn't have context.Background
	defer cancel()
	allocations := func(middleware echo.MiddlewareFunc) float64 {
		e := echo.New()
		e.GET("/", func(echo.Context) error { return nil }, middleware)
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		r.Header.Set(core.TokenHeader, token)
		r.Header.Set(core.EmailHeader, "ada@example.com") // as Access sends it
		w := httptest.NewRecorder()
		return testing.AllocsPerRun(1000, func() { e.ServeHTTP(w, r) })
	}
	bare := allocations(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error { return next(c) }
	})
	if protected := allocations(echoaccess.New(v)); protected-bare > 4 {
		t.Errorf("%v allocations, and %v without protection: want at most 4 more", protected, bare)
	}
}
