//go:build !race

package caddyaccess_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cfaccess/cfaccess/caddyaccess"
	"github.com/cfaccess/cfaccess/core"
)

// A protected request with a cached token adds at most four allocations to one that
// passes through: the request, its context, and two strings for placeholders. The
// race detector allocates too, so this isn't built with it.
func TestAllocations(t *testing.T) {
	team := newTeam(t)
	v, err := core.New(core.Config{Team: "acme", Audiences: []string{audience}, Endpoint: team.URL})
	if err != nil {
		t.Fatal(err)
	}
	token := team.SignUser(audience, "ada@example.com")
	ctx, cancel := context.WithCancel(t.Context()) // a server's request doesn't have context.Background
	defer cancel()
	allocations := func(handler caddyhttp.MiddlewareHandler) float64 {
		next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		r.Header.Set(core.TokenHeader, token)
		r.Header.Set(core.EmailHeader, "ada@example.com") // as Access sends it
		w := httptest.NewRecorder()
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
		return testing.AllocsPerRun(1000, func() {
			if err := handler.ServeHTTP(w, r, next); err != nil {
				t.Error(err)
			}
		})
	}
	bare := allocations(middleware(func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
		return next.ServeHTTP(w, r)
	}))
	handler := caddyaccess.NewHandler(v, core.Rule{}, func(string) bool { return false })
	if protected := allocations(handler); protected-bare > 4 {
		t.Errorf("%v allocations, and %v without protection: want at most 4 more", protected, bare)
	}
}
