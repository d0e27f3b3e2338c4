package accesstest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// newHandler is what a program under test has: its routes behind a verifier.
func newHandler(verifier *core.Verifier) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, err := verifier.Admit(r.Context(), r.Header, core.Rule{})
		if err != nil {
			core.Refuse(err).ServeHTTP(w, r)
			return
		}
		fmt.Fprint(w, "hello ", claims.Email)
	})
}

// The test of a handler that is behind Access. The verifier is the program's
// own; only its Endpoint is another.
func Example() {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	verifier, err := core.New(core.Config{Team: "acme", Audiences: []string{exampleAudience}, Endpoint: team.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := newHandler(verifier)

	visit := func(token string) {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Header.Set(core.TokenHeader, token)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		fmt.Println(answer.Code)
	}
	visit(team.SignUser(exampleAudience, "ada@example.com"))
	visit(team.SignUser(exampleAudience, "ada@example.com", accesstest.WithExpiry(time.Now().Add(-time.Hour))))
	visit(team.SignUser(exampleAudience, "ada@example.com", accesstest.SignedByStranger()))
	// Output:
	// 200
	// 401
	// 401
}
