package stdaccess_test

import (
	"net/http"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
	"github.com/cfaccess/cfaccess/stdaccess"
)

func newMiddleware(app conformance.App) func(http.Handler) http.Handler {
	config := stdaccess.Config{
		Rule:    app.Rule,
		Skipper: func(r *http.Request) bool { return app.Skips(r.URL.Path) },
	}
	if app.SkipPaths != nil {
		config.Skipper = stdaccess.SkipPaths(app.SkipPaths...)
	}
	if app.HandlesErrors {
		config.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) {
			http.Error(w, app.Handle(err, r.Header), conformance.HandledStatus)
		}
	}
	return stdaccess.New(app.Verifier, config)
}

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T, app conformance.App) string {
		if app.Silent || app.ShowsErrors {
			return "" // net/http can't tell whether a handler answered, and has no errors to show
		}
		protect, require := newMiddleware(app), stdaccess.Require(app.Policies...)
		inner, innerRequire := newMiddleware(app.Inner()), stdaccess.Require(app.Inner().Policies...)

		whoami := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			app.WhoAmI(w, r, func() (*core.Claims, bool) { return stdaccess.Claims(r) })
		})
		fail := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, conformance.FailureMessage, conformance.FailureStatus)
		})
		crash := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a handler's own") })
		stream := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			app.Stream(w, http.NewResponseController(w).Flush)
		})

		mux := http.NewServeMux()
		mux.Handle(conformance.PathWhoAmI, protect(whoami))
		mux.Handle(conformance.PathRequired, protect(require(whoami)))
		mux.Handle(conformance.PathRequireAlone, require(whoami))
		mux.Handle(conformance.PathSkipped, protect(whoami))
		mux.Handle(conformance.PathNested, protect(inner(innerRequire(whoami))))
		mux.Handle(conformance.PathNestedSkipped, protect(inner(whoami)))
		mux.Handle(conformance.PathFailure, protect(fail))
		mux.Handle(conformance.PathBareFailure, fail)
		mux.Handle(conformance.PathPanic, protect(crash))
		mux.Handle(conformance.PathBarePanic, crash)
		mux.Handle(conformance.PathStream, protect(stream))
		mux.Handle(conformance.PathUpgrade, protect(http.HandlerFunc(app.Upgrade)))

		return app.Serve(t, mux)
	})
}
