package conformance_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
)

// A conformance_test.go, cut short: the other routes are served likewise.
func ExampleRun() {
	_ = func(t *testing.T) {
		conformance.Run(t, func(t *testing.T, site conformance.Site) string {
			a := newAdapter()
			protect, require := a.newMiddleware(site), a.newRequire(site)
			whoami := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				site.WhoAmI(w, r, func() (*core.Claims, bool) { return a.claims(r) })
			})

			mux := http.NewServeMux()
			mux.Handle(conformance.PathWhoAmI, protect(whoami))
			mux.Handle(conformance.PathRequired, protect(require(whoami)))
			mux.Handle(conformance.PathRequireAlone, require(whoami))
			mux.Handle(conformance.PathStream, protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				site.Stream(w, http.NewResponseController(w).Flush)
			})))

			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			return server.URL
		})
	}
}
