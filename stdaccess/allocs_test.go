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

// The race detector allocates too, so this file is built without it.

// A protected request adds few allocations to a bare one.
func TestAllocationsOfAProtectedRequest(t *testing.T) {
	v, team := newVerifier(t)
	handler := stdaccess.New(v)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(context.Background())
	r.Header.Set(core.TokenHeader, team.SignUser(audience, "ada@example.com"))
	w := httptest.NewRecorder()
	allocations := testing.AllocsPerRun(1000, func() {
		r.Header.Del(core.EmailHeader)
		handler.ServeHTTP(w, r)
	})
	if allocations > 3 {
		t.Errorf("%v allocations, want at most 3", allocations)
	}
}
