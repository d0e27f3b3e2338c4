package conformance_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
)

type middleware = func(http.Handler) http.Handler

// An adapter is a small one for net/http that conforms. It consists of steps, so
// that a test can break one of them.
type adapter struct {
	skips   func(app conformance.App, r *http.Request) bool
	admit   func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error)
	forward func(r *http.Request, c *core.Claims) *http.Request
	serve   func(next http.Handler, w http.ResponseWriter, r *http.Request)
	// finish is called at the end with the request that came and the one that
	// was passed on.
	finish func(received, forwarded *http.Request)
	refuse func(w http.ResponseWriter, r *http.Request, err error)
	// handle is the ErrorHandler. It reports whether it answered.
	handle func(app conformance.App, w http.ResponseWriter, r *http.Request, err error) bool
	// show is how the framework shows errors to clients.
	show func(err error) string
	// refused is called after a refusal was written.
	refused func(next http.Handler, w http.ResponseWriter, r *http.Request)
	require func(ctx context.Context, policy core.Policy) error
	claims  func(r *http.Request) (*core.Claims, bool)
}

func newAdapter() *adapter {
	return &adapter{
		skips: func(app conformance.App, r *http.Request) bool {
			if app.SkipPaths != nil {
				return core.SkipPaths(app.SkipPaths...)(r.URL.EscapedPath())
			}
			return app.Skips(r.URL.Path)
		},
		admit: func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
			return v.Admit(r.Context(), r.Header, rule)
		},
		forward: core.Forward,
		serve:   func(next http.Handler, w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) },
		finish:  func(received, forwarded *http.Request) { received.MultipartForm = forwarded.MultipartForm },
		refuse:  func(w http.ResponseWriter, r *http.Request, err error) { core.Refuse(err).ServeHTTP(w, r) },
		handle: func(app conformance.App, w http.ResponseWriter, r *http.Request, err error) bool {
			if text := app.Handle(err, r.Header); !app.Silent {
				http.Error(w, text, conformance.HandledStatus)
			}
			return !app.Silent
		},
		show:    func(err error) string { return core.Refuse(err).Error() },
		refused: func(http.Handler, http.ResponseWriter, *http.Request) {},
		require: func(ctx context.Context, policy core.Policy) error {
			_, err := core.Require(ctx, policy)
			return err
		},
		claims: func(r *http.Request) (*core.Claims, bool) { return core.FromContext(r.Context()) },
	}
}

// handlerKey is where New leaves an App with an ErrorHandler.
type handlerKey struct{}

func (a *adapter) newMiddleware(app conformance.App) middleware {
	if core.SkipPaths(app.SkipPaths...); app.Verifier == nil {
		panic("New: the Verifier is nil")
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			received := r
			defer func() { a.finish(received, r) }()
			if app.HandlesErrors {
				r = r.WithContext(context.WithValue(r.Context(), handlerKey{}, app))
			}
			if a.skips(app, r) {
				r = a.forward(r, nil)
				a.serve(next, w, r)
				return
			}
			claims, err := a.admit(r, app.Verifier, app.Rule)
			r = a.forward(r, claims)
			if err != nil {
				a.answer(app, w, r, err)
				a.refused(next, w, r)
				return
			}
			a.serve(next, w, r)
		})
	}
}

func (a *adapter) newRequire(app conformance.App, policies []core.Policy) middleware {
	policy := core.AllOf(policies...)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := a.require(r.Context(), policy); err != nil {
				a.answer(app, w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func (a *adapter) answer(app conformance.App, w http.ResponseWriter, r *http.Request, err error) {
	if with, ok := r.Context().Value(handlerKey{}).(conformance.App); ok && a.handle(with, w, r, err) {
		return
	}
	a.refuse(w, r, err)
	if app.ShowsErrors {
		fmt.Fprintln(w, a.show(err))
	}
}

// start builds the server of an app. It is what the test of an adapter consists of.
func (a *adapter) start(t *testing.T, app conformance.App) string {
	protect, require := a.newMiddleware(app), a.newRequire(app, app.Policies)
	inner, innerRequire := a.newMiddleware(app.Inner()), a.newRequire(app, app.Inner().Policies)
	whoami := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		app.WhoAmI(w, r, func() (*core.Claims, bool) { return a.claims(r) })
	})
	fail := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, conformance.FailureMessage, conformance.FailureStatus)
	})
	crash := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a handler's own") })
	stream := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		app.Stream(w, http.NewResponseController(w).Flush)
	})

	mux := http.NewServeMux()
	for path, handler := range map[string]http.Handler{
		conformance.PathWhoAmI:        protect(whoami),
		conformance.PathRequired:      protect(require(whoami)),
		conformance.PathRequireAlone:  require(whoami),
		conformance.PathSkipped:       protect(whoami),
		conformance.PathNested:        protect(inner(innerRequire(whoami))),
		conformance.PathNestedSkipped: protect(inner(whoami)),
		conformance.PathFailure:       protect(fail),
		conformance.PathBareFailure:   fail,
		conformance.PathPanic:         protect(crash),
		conformance.PathBarePanic:     crash,
		conformance.PathStream:        protect(stream),
		conformance.PathUpgrade:       protect(http.HandlerFunc(app.Upgrade)),
	} {
		mux.Handle(path, handler)
	}
	return app.Serve(t, mux)
}

func TestConformingAdapter(t *testing.T) {
	conformance.Run(t, newAdapter().start)
}
