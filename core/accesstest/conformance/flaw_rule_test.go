package conformance_test

import (
	"context"
	"errors"
	"net/http"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
)

// ruleFlaws are in what the Config and Require say.
func ruleFlaws() map[string]flaw {
	return map[string]flaw{
		"refuses a stale cookie where optional": {[]string{"optional/stale cookie"}, func(a *adapter) {
			a.admit = func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
				if rule.Optional && r.Header.Get("Cookie") != "" {
					return v.Admit(r.Context(), r.Header, core.Rule{Policy: rule.Policy})
				}
				return v.Admit(r.Context(), r.Header, rule)
			}
		}},
		"lets a bad token through where optional": {[]string{"optional/bad token", "optional/no keys"}, func(a *adapter) {
			a.admit = func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
				claims, err := v.Admit(r.Context(), r.Header, rule)
				if rule.Optional && err != nil && !errors.Is(err, core.ErrForbidden) {
					return nil, nil
				}
				return claims, err
			}
		}},
		"ignores the Skipper": {[]string{"skipped/no token", "skipped/bad token"}, func(a *adapter) {
			a.skip = func(*http.Request) bool { return false }
		}},
		"forgets the policy": {[]string{"policy/person whom Not refuses", "policy/service whom AnyOf refuses"}, func(a *adapter) {
			a.admit = func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
				return v.Admit(r.Context(), r.Header, core.Rule{Optional: rule.Optional})
			}
		}},
		"lets everybody through Require without New": {[]string{"require/without New", "require/anonymous"}, func(a *adapter) {
			a.require = func(ctx context.Context, policy core.Policy) error {
				if _, ok := core.FromContext(ctx); !ok {
					return nil
				}
				_, err := core.Require(ctx, policy)
				return err
			}
		}},
		"asks no policy in Require": {[]string{"require/person whom Not refuses"}, func(a *adapter) {
			a.require = func(ctx context.Context, _ core.Policy) error {
				_, err := core.Require(ctx, nil)
				return err
			}
		}},

		"ignores the ErrorHandler": {[]string{"error handler/ErrNoToken", "error handler/ErrForbidden"}, func(a *adapter) {
			a.handle = func(_ conformance.Site, w http.ResponseWriter, r *http.Request, err error) bool {
				a.refuse(w, r, err)
				return true
			}
		}},
		"hides the class from the ErrorHandler": {[]string{"error handler/ErrExpired"}, func(a *adapter) {
			handle := a.handle
			a.handle = func(site conformance.Site, w http.ResponseWriter, r *http.Request, err error) bool {
				return handle(site, w, r, errors.New(err.Error()))
			}
		}},
		"sets the refusal's headers for the ErrorHandler": {[]string{"error handler/ErrExpired"}, func(a *adapter) {
			handle := a.handle
			a.handle = func(site conformance.Site, w http.ResponseWriter, r *http.Request, err error) bool {
				w.Header().Set("Cache-Control", "no-store")
				return handle(site, w, r, err)
			}
		}},
		"shows the ErrorHandler a forged email": {[]string{"error handler/forged email"}, func(a *adapter) {
			handle := a.handle
			a.handle = func(site conformance.Site, w http.ResponseWriter, r *http.Request, err error) bool {
				r.Header[core.EmailHeader] = []string{"forged@example.com"}
				return handle(site, w, r, err)
			}
		}},
		"answers an empty 200 for the ErrorHandler": {[]string{"silent error handler/ErrExpired"}, func(a *adapter) {
			handle := a.handle
			a.handle = func(site conformance.Site, w http.ResponseWriter, r *http.Request, err error) bool {
				handle(site, w, r, err)
				return true
			}
		}},
		"decides twice": {[]string{"decided/passing", "decided/several cookies"}, func(a *adapter) {
			a.admit = func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
				_, _ = v.Authenticate(r.Context(), r.Header)
				return v.Admit(r.Context(), r.Header, rule)
			}
		}},
	}
}
