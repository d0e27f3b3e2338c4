// Package stdaccess protects net/http handlers with Cloudflare Access, and every
// router that takes func(http.Handler) http.Handler, such as chi and gorilla.
//
//	protect := stdaccess.New(verifier)
//	mux.Handle("/", protect(app))
//
// Wrap handlers instead of comparing paths: a mux decodes the path before it
// matches, so /%61dmin is /admin.
package stdaccess

import (
	"context"
	"net/http"

	"github.com/cfaccess/cfaccess/core"
)

// Config changes what [New] does. The zero value refuses every request without
// a good token and lets every verified caller pass.
type Config struct {
	// Rule says which callers pass.
	core.Rule
	// Skipper, if set, returns true for the requests that pass unchecked,
	// such as preflights and health checks. They get no claims here, and a forged
	// email header is removed. Claims of an outer New stay.
	Skipper func(*http.Request) bool
	// ErrorHandler, if set, answers the requests that New or a Require behind
	// it refuses. It must answer, or else net/http sends an empty 200. The error
	// is for the operator. core.Refuse returns the answer for the client.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}

// New returns the middleware that lets a request reach the handler only if v and
// the Config admit its caller. The handler finds the claims with [Claims], and
// the verified email in the header core.EmailHeader. A forged one is removed from
// every request: see core.Forward. The ResponseWriter is passed on as it is. Only
// the first Config is used. New panics if v is nil.
func New(v *core.Verifier, config ...Config) func(http.Handler) http.Handler {
	if v == nil {
		panic("stdaccess: New: the Verifier is nil")
	}
	var cfg Config
	if len(config) > 0 {
		cfg = config[0]
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			received := r
			defer func() { received.MultipartForm = r.MultipartForm }() // net/http removes the files of received
			if cfg.ErrorHandler != nil {
				r = r.WithContext(context.WithValue(r.Context(), errorHandlerKey{}, cfg.ErrorHandler))
			}
			if cfg.Skipper != nil && cfg.Skipper(r) {
				r = core.Forward(r, nil)
				next.ServeHTTP(w, r)
				return
			}
			claims, err := v.Admit(r.Context(), r.Header, cfg.Rule)
			r = core.Forward(r, claims)
			if err != nil {
				refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Require returns the middleware, for a handler behind [New], that lets a
// caller pass only if every policy allows it. Without New before it, and for
// an anonymous caller, it answers 401. It panics if a policy is nil.
func Require(policies ...core.Policy) func(http.Handler) http.Handler {
	policy := core.AllOf(policies...)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := core.Require(r.Context(), policy); err != nil {
				refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// SkipPaths returns a Skipper for requests of exactly these paths, such as
// "/healthz", escapes included. It panics on a path without a leading slash, or
// with * or ? in it: a prefix in front of a file server would let
// /public/../secret pass.
func SkipPaths(paths ...string) func(*http.Request) bool {
	skip := core.SkipPaths(paths...)
	return func(r *http.Request) bool { return skip(r.URL.EscapedPath()) }
}

// Claims returns the claims of the request's caller, or false if it is
// anonymous: see [core.FromContext].
func Claims(r *http.Request) (*core.Claims, bool) {
	return core.FromContext(r.Context())
}

// errorHandlerKey is where New stores its ErrorHandler for Require.
type errorHandlerKey struct{}

func refuse(w http.ResponseWriter, r *http.Request, err error) {
	if handle, ok := r.Context().Value(errorHandlerKey{}).(func(http.ResponseWriter, *http.Request, error)); ok {
		handle(w, r, err)
		return
	}
	core.Refuse(err).ServeHTTP(w, r)
}
