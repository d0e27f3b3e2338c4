package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
	"unsafe"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
)

// A flaw is a way in which an adapter can be broken.
type flaw struct {
	fails  string // the subtest that must fail
	breaks func(a *adapter)
}

var flaws = map[string]flaw{
	"calls next after a refusal": {"refusal/ErrNoToken/handler", func(a *adapter) {
		a.refused = func(next http.Handler, w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) }
	}},
	"calls next after a refusal, unseen by the client": {"refusal/ErrPolicyUnavailable/handler", func(a *adapter) {
		require := a.require
		a.require = func(ctx context.Context, policy core.Policy) error {
			err := require(ctx, policy)
			if errors.Is(err, core.ErrPolicyUnavailable) {
				return nil
			}
			return err
		}
	}},
	"answers 401 where keys can't be fetched": {"refusal/ErrKeysUnavailable/status", func(a *adapter) {
		a.refuse = func(w http.ResponseWriter, r *http.Request, err error) {
			if errors.Is(err, core.ErrKeysUnavailable) {
				err = core.ErrMalformed
			}
			core.Refuse(err).ServeHTTP(w, r)
		}
	}},
	"adds a charset":       {"refusal/ErrExpired/Content-Type", setField("Content-Type", "application/problem+json; charset=utf-8")},
	"lacks Cache-Control":  {"refusal/ErrForbidden/Cache-Control", setField("Cache-Control", "")},
	"lacks the challenge":  {"refusal/ErrNoToken/WWW-Authenticate", setField("Www-Authenticate", "")},
	"lacks Retry-After":    {"refusal/ErrPolicyUnavailable/Retry-After", setField("Retry-After", "")},
	"leaks in a header":    {"refusal/ErrAudience/secrets", setField("X-Error", "cfaccess: wrong audience")},
	"leaks what is wanted": {"refusal/ErrForbidden/secrets", answerWith(func(r *core.Refusal, err error) { r.Detail = err.Error() })},
	"has another body":     {"refusal/ErrExpired/body", answerWith(func(r *core.Refusal, _ error) { r.Title = "Expired" })},
	"sends a body on HEAD": {"refusal/ErrExpired/HEAD", func(a *adapter) {
		refuse := a.refuse
		a.refuse = func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Method != http.MethodHead {
				refuse(w, r, err)
			} else if conn, _, hijackErr := http.NewResponseController(w).Hijack(); hijackErr == nil { // net/http would hide it
				defer conn.Close()
				refusal := core.Refuse(err)
				_ = (&http.Response{StatusCode: refusal.Status, ProtoMajor: 1, ProtoMinor: 1, Header: refusal.Header(), Close: true}).Write(conn)
				_, _ = conn.Write(refusal.Body())
			}
		}
	}},

	"takes the first of two headers": {"token/two headers, bad last", changeHeader(func(h http.Header) {
		if values := h[core.TokenHeader]; len(values) > 1 {
			h[core.TokenHeader] = values[:1]
		}
	})},
	"takes an empty header for a token": {"token/empty header, cookie", changeHeader(func(h http.Header) {
		if values := h[core.TokenHeader]; len(values) == 1 && values[0] == "" {
			h[core.TokenHeader] = []string{"x"}
		}
	})},
	"takes an empty cookie for a token": {"token/empty cookie", changeHeader(func(h http.Header) {
		if h.Get("Cookie") == core.TokenCookie+"=" {
			h.Set("Cookie", core.TokenCookie+"=x")
		}
	})},
	"looks at one Cookie field": {"token/cookies in two fields", changeHeader(func(h http.Header) {
		if fields := h["Cookie"]; len(fields) > 1 {
			h["Cookie"] = fields[:1]
		}
	})},
	"rescues a bad header with a good cookie": {"http2/token/bad header, cookie", func(a *adapter) {
		admit := a.admit
		a.admit = func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
			claims, err := admit(r, v, rule)
			if err != nil && r.Header.Get("Cookie") != "" {
				return v.Admit(r.Context(), http.Header{"Cookie": r.Header["Cookie"]}, rule)
			}
			return claims, err
		}
	}},
	"refuses a stale cookie where optional": {"optional/stale cookie", func(a *adapter) {
		a.admit = func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
			return v.Admit(r.Context(), r.Header, core.Rule{Optional: rule.Optional && r.Header.Get("Cookie") == "", Policy: rule.Policy})
		}
	}},
	"admits a bad token where optional": {"optional/expired header", func(a *adapter) {
		admit := a.admit
		a.admit = func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
			claims, err := admit(r, v, rule)
			if rule.Optional && err != nil && !errors.Is(err, core.ErrForbidden) {
				return nil, nil
			}
			return claims, err
		}
	}},
	"forgets the policy": {"policy/person in Not", func(a *adapter) {
		a.admit = func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
			return v.Admit(r.Context(), r.Header, core.Rule{Optional: rule.Optional})
		}
	}},
	"decides twice": {"decided/passing", func(a *adapter) {
		admit := a.admit
		a.admit = func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
			_, _ = v.Authenticate(r.Context(), r.Header)
			return admit(r, v, rule)
		}
	}},

	"keeps the form from the server": {"handler/form", func(a *adapter) {
		a.finish = func(_, _ *http.Request) {}
	}},
	"leaves the context as it was": {"claims/person", func(a *adapter) {
		type ownKey struct{}
		a.forward = func(r *http.Request, c *core.Claims) *http.Request {
			header := core.Forward(r, c).Header
			r = r.WithContext(context.WithValue(r.Context(), ownKey{}, c))
			r.Header = header
			return r
		}
		a.claims = func(r *http.Request) (*core.Claims, bool) {
			c, _ := r.Context().Value(ownKey{}).(*core.Claims)
			return c, c != nil
		}
	}},
	"leaves a forged email where there is none": {"email header/service token", keepFields(func(name string) bool {
		return name == core.EmailHeader
	})},
	"knows one spelling of the email header": {"email header/skipped", keepFields(func(name string) bool {
		return name != core.EmailHeader && core.IsEmailHeader(name)
	})},
	"knows no underscores over HTTP/2": {"http2/email header/person", keepFields(func(name string) bool {
		return name == "Cf_access_authenticated_user_email"
	})},
	"leaves Connection as it was": {"connection/email header", keepFields(func(name string) bool { return name == "Connection" })},
	"takes trailers for headers": {"trailer/email", func(a *adapter) {
		a.forward = func(r *http.Request, c *core.Claims) *http.Request {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			forwarded := core.Forward(r, c)
			maps.Copy(forwarded.Header, r.Trailer)
			return forwarded
		}
	}},
	"forgets the claims of the outer New": {"nested/inner skips, person", func(a *adapter) {
		a.forward = func(r *http.Request, c *core.Claims) *http.Request {
			if c == nil {
				r = r.WithContext(context.Background())
			}
			return core.Forward(r, c)
		}
	}},
	"admits whom the outer New admitted": {"nested/inner refuses", func(a *adapter) {
		admit := a.admit
		a.admit = func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
			if c, ok := core.FromContext(r.Context()); ok {
				return c, nil
			}
			return admit(r, v, rule)
		}
	}},
	"ignores the Skipper": {"skipped/bad token", func(a *adapter) {
		a.skips = func(conformance.App, *http.Request) bool { return false }
	}},
	"compares the decoded path": {"skip paths//%73kipped", func(a *adapter) {
		a.skips = func(app conformance.App, r *http.Request) bool { return app.Skips(r.URL.Path) }
	}},
	"passes everybody through Require without New": {"require/without New", func(a *adapter) {
		require := a.require
		a.require = func(ctx context.Context, policy core.Policy) error {
			if _, ok := core.FromContext(ctx); !ok {
				return nil
			}
			return require(ctx, policy)
		}
	}},
	"asks no policy in Require": {"require/own policy", func(a *adapter) {
		a.require = func(ctx context.Context, _ core.Policy) error {
			_, err := core.Require(ctx, nil)
			return err
		}
	}},

	"ignores the ErrorHandler": {"error handler/ErrForbidden", func(a *adapter) {
		a.handle = func(conformance.App, http.ResponseWriter, *http.Request, error) bool { return false }
	}},
	"hides the class from the ErrorHandler": {"error handler/ErrExpired", handleWith(func(_ http.ResponseWriter, _ *http.Request, err error) error {
		return errors.New(err.Error())
	})},
	"shows a forged email to the ErrorHandler": {"error handler/ErrNoToken", handleWith(func(_ http.ResponseWriter, r *http.Request, err error) error {
		r.Header["Cf_access_authenticated_user_email"] = []string{"forged@example.com"}
		return err
	})},
	"sets the refusal's headers for the ErrorHandler": {"error handler/ErrExpired", handleWith(func(w http.ResponseWriter, _ *http.Request, err error) error {
		w.Header().Set("Cache-Control", "no-store")
		return err
	})},
	"has no ErrorHandler behind another New": {"error handler/nested, inner", func(a *adapter) {
		handle := a.handle
		a.handle = func(app conformance.App, w http.ResponseWriter, r *http.Request, err error) bool {
			return r.URL.Path != conformance.PathNested && handle(app, w, r, err)
		}
	}},
	"answers nothing where the ErrorHandler doesn't": {"silent error handler/ErrNoToken", func(a *adapter) {
		handle := a.handle
		a.handle = func(app conformance.App, w http.ResponseWriter, r *http.Request, err error) bool {
			return handle(app, w, r, err) || true
		}
	}},
	"hands the framework the cause": {"shown errors/ErrForbidden", func(a *adapter) { a.show = error.Error }},

	"swallows a handler's status": {"handler/failure", serveWith(func(w http.ResponseWriter) http.ResponseWriter { return noStatus{w} })},
	"wraps the ResponseWriter": {"handler/upgrade", serveWith(func(w http.ResponseWriter) http.ResponseWriter {
		return struct{ http.ResponseWriter }{w}
	})},
	"swallows Flush": {"handler/stream", serveWith(func(w http.ResponseWriter) http.ResponseWriter {
		return struct{ http.ResponseWriter }{w}
	})},
	"swallows panics": {"handler/panic", func(a *adapter) {
		a.serve = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			defer func() { _ = recover() }()
			next.ServeHTTP(w, r)
		}
	}},
	"reads the body": {"handler/body", func(a *adapter) {
		a.serve = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			next.ServeHTTP(w, r)
		}
	}},
	"keeps the caller of the last request": {"concurrent/callers", func(a *adapter) {
		var mu sync.Mutex
		var last *core.Claims
		a.forward = func(r *http.Request, c *core.Claims) *http.Request {
			mu.Lock()
			defer mu.Unlock()
			last = c
			return core.Forward(r, c)
		}
		a.claims = func(*http.Request) (*core.Claims, bool) {
			mu.Lock()
			defer mu.Unlock()
			return last, last != nil
		}
	}},
	"keeps strings that are overwritten": {"concurrent/forged after", keepStrings},
}

// changeHeader has core see a changed copy of the header.
func changeHeader(change func(h http.Header)) func(a *adapter) {
	return func(a *adapter) {
		a.admit = func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
			h := r.Header.Clone()
			change(h)
			return v.Admit(r.Context(), h, rule)
		}
	}
}

// keepFields has the handler see these header fields as the client sent them,
// except for the email header of a person.
func keepFields(keep func(name string) bool) func(a *adapter) {
	return func(a *adapter) {
		a.forward = func(r *http.Request, c *core.Claims) *http.Request {
			sent := maps.Clone(r.Header)
			r = core.Forward(r, c)
			header := maps.Clone(r.Header)
			for name, values := range sent {
				if keep(name) && (name != core.EmailHeader || header[name] == nil) {
					header[name] = values
				}
			}
			r = r.WithContext(r.Context())
			r.Header = header
			return r
		}
	}
}

// answerWith changes refusals.
func answerWith(change func(r *core.Refusal, err error)) func(a *adapter) {
	return func(a *adapter) {
		a.refuse = func(w http.ResponseWriter, r *http.Request, err error) {
			refusal := core.Refuse(err)
			change(refusal, err)
			refusal.ServeHTTP(w, r)
		}
	}
}

// setField changes or removes a header field of refusals.
func setField(name, value string) func(a *adapter) {
	return func(a *adapter) {
		a.refuse = func(w http.ResponseWriter, r *http.Request, err error) {
			refusal := core.Refuse(err)
			maps.Copy(w.Header(), refusal.Header())
			if w.Header().Set(name, value); value == "" {
				w.Header().Del(name)
			}
			w.WriteHeader(refusal.Status)
			_, _ = w.Write(refusal.Body())
		}
	}
}

// handleWith does something before the ErrorHandler runs.
func handleWith(before func(w http.ResponseWriter, r *http.Request, err error) error) func(a *adapter) {
	return func(a *adapter) {
		handle := a.handle
		a.handle = func(app conformance.App, w http.ResponseWriter, r *http.Request, err error) bool {
			return handle(app, w, r, before(w, r, err))
		}
	}
}

// serveWith gives the handler another ResponseWriter.
func serveWith(wrap func(http.ResponseWriter) http.ResponseWriter) func(a *adapter) {
	return func(a *adapter) {
		a.serve = func(next http.Handler, w http.ResponseWriter, r *http.Request) { next.ServeHTTP(wrap(w), r) }
	}
}

// noStatus is a ResponseWriter that ignores the status.
type noStatus struct{ http.ResponseWriter }

func (noStatus) WriteHeader(int)               {}
func (w noStatus) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// keepStrings caches verified tokens by the strings of a framework that uses the
// memory of one connection for each of its requests, as fiber does.
func keepStrings(a *adapter) {
	var (
		mu      sync.Mutex // guards what follows, and the memory of the strings
		buffers = map[string][]byte{}
		known   = map[string]*core.Claims{}
	)
	a.admit = func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
		values := r.Header[core.TokenHeader]
		if len(values) != 1 {
			return v.Admit(r.Context(), r.Header, rule)
		}
		mu.Lock()
		defer mu.Unlock()
		if buffers[r.RemoteAddr] == nil {
			buffers[r.RemoteAddr] = make([]byte, 16<<10)
		}
		buffer := buffers[r.RemoteAddr]
		token := unsafe.String(&buffer[0], copy(buffer, values[0]))
		if claims := known[token]; claims != nil {
			return claims, nil
		}
		claims, err := v.Admit(r.Context(), http.Header{core.TokenHeader: {token}}, rule)
		if err == nil {
			known[token] = claims
		}
		return claims, err
	}
}
