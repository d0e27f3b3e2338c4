package conformance_test

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/cfaccess/cfaccess/core"
)

// requestFlaws are in what core sees of the request, and the handler of the caller.
func requestFlaws() map[string]flaw {
	return map[string]flaw{
		"takes the first of two headers": {[]string{"token/two headers, good first"}, func(a *adapter) {
			a.admit = admitWith(func(h http.Header) {
				if values := h[core.TokenHeader]; len(values) > 1 {
					h[core.TokenHeader] = values[:1]
				}
			})
		}},
		"takes an empty header for a token": {[]string{"token/empty header with a good cookie"}, func(a *adapter) {
			a.admit = admitWith(func(h http.Header) {
				if values := h[core.TokenHeader]; len(values) == 1 && values[0] == "" {
					h[core.TokenHeader] = []string{"x"}
				}
			})
		}},
		"looks at one spelling of the email header": {[]string{"email header/overwritten for a person"}, func(a *adapter) {
			a.forward = func(r *http.Request, c *core.Claims) *http.Request {
				forged := r.Header["Cf_access_authenticated_user_email"]
				r = core.Forward(r, c)
				if forged != nil {
					r.Header["Cf_access_authenticated_user_email"] = forged
				}
				return r
			}
		}},
		"leaves the email header in Connection": {[]string{"email header/named in Connection"}, func(a *adapter) {
			a.forward = func(r *http.Request, c *core.Claims) *http.Request {
				connection := r.Header["Connection"]
				if r = core.Forward(r, c); connection != nil {
					r.Header["Connection"] = connection
				}
				return r
			}
		}},
		"takes trailers for headers": {[]string{"email header/in a trailer"}, func(a *adapter) {
			a.serve = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				for name, values := range r.Trailer {
					r.Header[name] = values
				}
				next.ServeHTTP(w, r)
			}
		}},
		"forgets the outer New": {[]string{"skipped/inside another New"}, func(a *adapter) {
			a.forward = func(r *http.Request, c *core.Claims) *http.Request {
				if c == nil {
					r = r.WithContext(context.Background())
				}
				return core.Forward(r, c)
			}
		}},
		"rescues a bad header with a good cookie": {[]string{"token/bad header with a good cookie"}, func(a *adapter) {
			a.admit = func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
				claims, err := v.Admit(r.Context(), r.Header, rule)
				if err != nil && r.Header.Get("Cookie") != "" {
					return v.Admit(r.Context(), http.Header{"Cookie": r.Header["Cookie"]}, rule)
				}
				return claims, err
			}
		}},
		"looks at one Cookie line": {[]string{"token/cookies on two lines"}, func(a *adapter) {
			a.admit = admitWith(func(h http.Header) {
				if lines := h["Cookie"]; len(lines) > 1 {
					h["Cookie"] = lines[:1]
				}
			})
		}},

		"forgets the context": {[]string{"claims/context"}, func(a *adapter) {
			type ownKey struct{}
			a.forward = func(r *http.Request, c *core.Claims) *http.Request {
				core.Forward(r, c) // for the header
				return r.WithContext(context.WithValue(r.Context(), ownKey{}, c))
			}
			a.claims = func(r *http.Request) (*core.Claims, bool) {
				c, _ := r.Context().Value(ownKey{}).(*core.Claims)
				return c, c != nil
			}
		}},
		"leaves a forged email": {[]string{"email header/overwritten for a person"}, func(a *adapter) {
			a.forward = func(r *http.Request, c *core.Claims) *http.Request {
				if c != nil && c.Email != "" {
					return r.WithContext(core.NewContext(r.Context(), c))
				}
				return core.Forward(r, c)
			}
		}},
		"adds the email to a forged one": {[]string{"email header/overwritten for a person"}, func(a *adapter) {
			a.forward = func(r *http.Request, c *core.Claims) *http.Request {
				if c == nil || c.Email == "" {
					return core.Forward(r, c)
				}
				r.Header.Add(core.EmailHeader, c.Email)
				return r.WithContext(core.NewContext(r.Context(), c))
			}
		}},
		"leaves a forged email where there is none": {[]string{"email header/removed for a service token", "email header/removed for an anonymous caller"}, func(a *adapter) {
			a.forward = func(r *http.Request, c *core.Claims) *http.Request {
				if c == nil {
					return r
				}
				if c.Email != "" {
					r.Header.Set(core.EmailHeader, c.Email)
				}
				return r.WithContext(core.NewContext(r.Context(), c))
			}
		}},
		"leaves a skipped request as it is": {[]string{"email header/removed for a skipped request"}, func(a *adapter) {
			a.forward = func(r *http.Request, c *core.Claims) *http.Request {
				if a.skip(r) {
					return r
				}
				return core.Forward(r, c)
			}
		}},
	}
}

// admitWith changes a copy of the header before core sees it.
func admitWith(change func(h http.Header)) func(*http.Request, *core.Verifier, core.Rule) (*core.Claims, error) {
	return func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
		h := r.Header.Clone()
		change(h)
		return v.Admit(r.Context(), h, rule)
	}
}
