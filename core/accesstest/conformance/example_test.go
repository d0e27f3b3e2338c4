package conformance_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
)

// protecting is the New of an adapter for net/http, without a Config.
func protecting(v *core.Verifier, rule core.Rule) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			claims, err := v.Admit(r.Context(), r.Header, rule)
			if err != nil {
				core.Refuse(err).ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, core.Forward(r, claims))
		})
	}
}

// requiring is its Require.
func requiring(policies ...core.Policy) func(http.Handler) http.Handler {
	policy := core.AllOf(policies...)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := core.Require(r.Context(), policy); err != nil {
				core.Refuse(err).ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// An adapter and its conformance_test.go, cut short: Config is missing, and the
// other routes, which are served likewise.
func ExampleRun() {
	_ = func(t *testing.T) { // func TestConformance(t *testing.T)
		conformance.Run(t, func(t *testing.T, site conformance.Site) string {
			protect, require := protecting(site.Verifier, site.Rule), requiring(site.Policies...)
			whoami := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				site.WhoAmI(w, r, func() (*core.Claims, bool) { return core.FromContext(r.Context()) })
			})

			mux := http.NewServeMux()
			mux.Handle(conformance.PathWhoAmI, protect(whoami))
			mux.Handle(conformance.PathRequired, protect(require(whoami)))
			mux.Handle(conformance.PathRequireAlone, require(whoami))

			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			return server.URL
		})
	}
}
