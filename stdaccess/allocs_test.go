//go:build !race

package stdaccess_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/stdaccess"
)

// A protected request with a cached token adds at most two allocations to one
// that passes through. The race detector allocates too, so this isn't built with
// it.
func TestAllocations(t *testing.T) {
	v, team := newVerifier(t)
	token := team.SignUser(audience, "ada@example.com")
	ctx, cancel := context.WithCancel(t.Context()) // a server's request doesn't have context.Background
	defer cancel()
	allocations := func(middleware func(http.Handler) http.Handler) float64 {
		handler := middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		r.Header.Set(core.TokenHeader, token)
		r.Header.Set(core.EmailHeader, "ada@example.com") // as Access sends it
		w := httptest.NewRecorder()
		return testing.AllocsPerRun(1000, func() { handler.ServeHTTP(w, r) })
	}
	bare := allocations(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) })
	})
	if protected := allocations(stdaccess.New(v)); protected-bare > 2 {
		t.Errorf("%v allocations, and %v without protection: want at most 2 more", protected, bare)
	}
}
