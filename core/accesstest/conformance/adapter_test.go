package conformance_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
)

type middleware = func(http.Handler) http.Handler

// An adapter is the smallest one for net/http that conforms, taken apart into
// its steps so that a test can break one of them.
type adapter struct {
	skip    func(r *http.Request) bool
	admit   func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error)
	forward func(r *http.Request, c *core.Claims) *http.Request
	serve   func(next http.Handler, w http.ResponseWriter, r *http.Request)
	refuse  func(w http.ResponseWriter, r *http.Request, err error)
	// handle is the ErrorHandler. It reports whether it answered.
	handle func(site conformance.Site, w http.ResponseWriter, r *http.Request, err error) bool
	// refused is called after a refusal was written.
	refused func(next http.Handler, w http.ResponseWriter, r *http.Request)
	require func(ctx context.Context, policy core.Policy) error
	claims  func(r *http.Request) (*core.Claims, bool)
}

func newAdapter() *adapter {
	return &adapter{
		skip: func(r *http.Request) bool { return r.URL.Path == conformance.PathSkipped },
		admit: func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
			return v.Admit(r.Context(), r.Header, rule)
		},
		forward: core.Forward,
		serve:   func(next http.Handler, w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) },
		refuse: func(w http.ResponseWriter, r *http.Request, err error) {
			core.Refuse(err).ServeHTTP(w, r)
		},
		handle: func(site conformance.Site, w http.ResponseWriter, r *http.Request, err error) bool {
			if text := site.Handle(err, r.Header); !site.Silent {
				http.Error(w, text, conformance.HandledStatus)
			}
			return !site.Silent
		},
		refused: func(http.Handler, http.ResponseWriter, *http.Request) {},
		require: func(ctx context.Context, policy core.Policy) error {
			_, err := core.Require(ctx, policy)
			return err
		},
		claims: func(r *http.Request) (*core.Claims, bool) { return core.FromContext(r.Context()) },
	}
}

// handledKey marks a request behind a New with an ErrorHandler.
type handledKey struct{}

func (a *adapter) newMiddleware(site conformance.Site) middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if site.HandlesErrors {
				r = r.WithContext(context.WithValue(r.Context(), handledKey{}, true))
			}
			if a.skip(r) {
				a.serve(next, w, a.forward(r, nil))
				return
			}
			claims, err := a.admit(r, site.Verifier, site.Rule)
			r = a.forward(r, claims)
			if err != nil {
				a.answer(site, w, r, err)
				a.refused(next, w, r)
				return
			}
			a.serve(next, w, r)
		})
	}
}

func (a *adapter) newRequire(site conformance.Site) middleware {
	policy := core.AllOf(site.Policies...)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := a.require(r.Context(), policy); err != nil {
				a.answer(site, w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func (a *adapter) answer(site conformance.Site, w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Value(handledKey{}) != nil && a.handle(site, w, r, err) {
		return
	}
	a.refuse(w, r, err)
}

// start serves a site. It is what the test of an adapter consists of.
func (a *adapter) start(t *testing.T, site conformance.Site) string {
	protect, require := a.newMiddleware(site), a.newRequire(site)
	inner := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serve(next, w, a.forward(r, nil)) })
	}
	whoami := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site.WhoAmI(w, r, func() (*core.Claims, bool) { return a.claims(r) })
	})
	fail := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, conformance.FailureMessage, conformance.FailureStatus)
	})
	crash := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a handler's own") })

	mux := http.NewServeMux()
	mux.Handle(conformance.PathWhoAmI, protect(whoami))
	mux.Handle(conformance.PathRequired, protect(require(whoami)))
	mux.Handle(conformance.PathRequireAlone, require(whoami))
	mux.Handle(conformance.PathSkipped, protect(whoami))
	mux.Handle(conformance.PathNested, protect(inner(whoami)))
	mux.Handle(conformance.PathFailure, protect(fail))
	mux.Handle(conformance.PathBareFailure, fail)
	mux.Handle(conformance.PathPanic, protect(crash))
	mux.Handle(conformance.PathBarePanic, crash)
	mux.Handle(conformance.PathStream, protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		site.Stream(w, http.NewResponseController(w).Flush)
	})))
	mux.Handle(conformance.PathUpgrade, protect(http.HandlerFunc(site.Upgrade)))

	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

func TestConformingAdapter(t *testing.T) {
	conformance.Run(t, newAdapter().start)
}
