//go:build !race

package ginaccess_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/ginaccess"
)

// The race detector allocates too, so this file is built without it.

// serve returns a call that serves one request with a cached token behind
// the middleware.
func serve(t testing.TB, token string, middleware gin.HandlerFunc) func() {
	t.Helper()
	router := gin.New()
	router.GET("/", middleware, func(*gin.Context) {})
	ctx, cancel := context.WithCancel(context.Background()) // a server's request has no bare Background
	t.Cleanup(cancel)
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.Header.Set(core.TokenHeader, token)
	r.Header.Set(core.EmailHeader, "ada@example.com") // as Access sends it
	w := httptest.NewRecorder()
	return func() { router.ServeHTTP(w, r) }
}

// A protected request adds few allocations to one that passes through.
func TestAllocationsOfAProtectedRequest(t *testing.T) {
	v, team := newVerifier(t)
	token := team.SignUser(audience, "ada@example.com")
	bare := testing.AllocsPerRun(1000, serve(t, token, func(*gin.Context) {}))
	protected := testing.AllocsPerRun(1000, serve(t, token, ginaccess.New(v)))
	if protected-bare > 4 {
		t.Errorf("%v allocations, and %v without protection: want at most 4 more", protected, bare)
	}
}

func BenchmarkRequest(b *testing.B) {
	v, team := newVerifier(b)
	token := team.SignUser(audience, "ada@example.com")
	for name, middleware := range map[string]gin.HandlerFunc{
		"bare": func(*gin.Context) {}, "protected": ginaccess.New(v),
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
