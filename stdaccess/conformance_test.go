package stdaccess_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
	"github.com/cfaccess/cfaccess/stdaccess"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T, site conformance.Site) string {
		if site.Silent {
			return "" // net/http can't tell
		}
		config := stdaccess.Config{
			Rule:    site.Rule,
			Skipper: func(r *http.Request) bool { return r.URL.Path == conformance.PathSkipped },
		}
		if site.HandlesErrors {
			config.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) {
				http.Error(w, site.Handle(err, r.Header), conformance.HandledStatus)
			}
		}
		protect, require := stdaccess.New(site.Verifier, config), stdaccess.Require(site.Policies...)
		skip := stdaccess.New(site.Verifier, stdaccess.Config{Skipper: func(*http.Request) bool { return true }})

		whoami := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			site.WhoAmI(w, r, func() (*core.Claims, bool) { return stdaccess.Claims(r) })
		})
		fail := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, conformance.FailureMessage, conformance.FailureStatus)
		})
		crash := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a handler's own") })
		stream := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			site.Stream(w, http.NewResponseController(w).Flush)
		})

		mux := http.NewServeMux()
		mux.Handle(conformance.PathWhoAmI, protect(whoami))
		mux.Handle(conformance.PathRequired, protect(require(whoami)))
		mux.Handle(conformance.PathRequireAlone, require(whoami))
		mux.Handle(conformance.PathSkipped, protect(whoami))
		mux.Handle(conformance.PathNested, protect(skip(whoami)))
		mux.Handle(conformance.PathFailure, protect(fail))
		mux.Handle(conformance.PathBareFailure, fail)
		mux.Handle(conformance.PathPanic, protect(crash))
		mux.Handle(conformance.PathBarePanic, crash)
		mux.Handle(conformance.PathStream, protect(stream))
		mux.Handle(conformance.PathUpgrade, protect(http.HandlerFunc(site.Upgrade)))

		server := httptest.NewUnstartedServer(mux)
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // of panics
		server.Start()
		t.Cleanup(server.Close)
		return server.URL
	})
}
