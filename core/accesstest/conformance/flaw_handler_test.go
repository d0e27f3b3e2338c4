package conformance_test

import (
	"io"
	"net/http"
)

// handlerFlaws are in how the handler is served.
func handlerFlaws() map[string]flaw {
	return map[string]flaw{
		"swallows a handler's status": {[]string{"handler/failure"}, func(a *adapter) {
			a.serve = func(next http.Handler, w http.ResponseWriter, r *http.Request) { next.ServeHTTP(statusless{w}, r) }
		}},
		"swallows panics": {[]string{"handler/panic"}, func(a *adapter) {
			a.serve = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
				defer func() { _ = recover() }()
				next.ServeHTTP(w, r)
			}
		}},
		"reads the body": {[]string{"handler/body"}, func(a *adapter) {
			a.serve = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				next.ServeHTTP(w, r)
			}
		}},
		"wraps the ResponseWriter": {[]string{"handler/stream", "handler/upgrade"}, func(a *adapter) {
			a.serve = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
			}
		}},
	}
}

// statusless is a ResponseWriter that ignores the status.
type statusless struct{ http.ResponseWriter }

func (statusless) WriteHeader(int)               {}
func (d statusless) Unwrap() http.ResponseWriter { return d.ResponseWriter }
