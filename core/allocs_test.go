//go:build !race

package core

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
)

// The race detector allocates too, so this file is built without it.

// A cached token costs no allocation, from the header to the decision.
func TestAllocations(t *testing.T) {
	r := newRig(t, quiet)
	token := signUser()
	claims := verified(t, r, token)
	headers, cookie := inHeader(token), http.Header{"Cookie": {"theme=dark; CF_Authorization=" + token}}
	rule := Rule{Policy: AllOf(Users(), Audience(testAudience))}
	ctx, none := NewContext(t.Context(), claims), http.Header{}
	right := httptest.NewRequest(http.MethodGet, "/", nil)
	for name, test := range map[string]struct {
		call func(context.Context) (*Claims, error)
		most float64
	}{
		"Verify":                 {func(ctx context.Context) (*Claims, error) { return r.Verify(ctx, token) }, 0},
		"Authenticate":           {func(ctx context.Context) (*Claims, error) { return r.Authenticate(ctx, headers) }, 0},
		"Authenticate, a cookie": {func(ctx context.Context) (*Claims, error) { return r.Authenticate(ctx, cookie) }, 1},
		"Admit":                  {func(ctx context.Context) (*Claims, error) { return r.Admit(ctx, headers, rule) }, 0},
		"Admit, anonymous":       {func(ctx context.Context) (*Claims, error) { return r.Admit(ctx, none, Rule{Optional: true}) }, 0},
		"Require":                {func(ctx context.Context) (*Claims, error) { return Require(ctx, rule.Policy) }, 0},
		"Forward, nothing to do": {func(context.Context) (*Claims, error) { Forward(right, nil); return nil, nil }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			allocations := testing.AllocsPerRun(1000, func() {
				if _, err := test.call(ctx); err != nil {
					t.Fatal(err)
				}
			})
			if allocations > test.most {
				t.Errorf("%v allocations, want %v", allocations, test.most)
			}
		})
	}
}

// A cached identity costs no allocation.
func TestAllocationsOfGroups(t *testing.T) {
	r := newIdentityRig(t, quiet)
	ada := r.person(t, "ada@example.com")
	policy := AllOf(Users(), Groups("security", "engineering"))
	ctx := NewContext(t.Context(), ada)
	allocations := testing.AllocsPerRun(1000, func() {
		if _, err := Require(ctx, policy); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 0 {
		t.Errorf("%v allocations", allocations)
	}
}
