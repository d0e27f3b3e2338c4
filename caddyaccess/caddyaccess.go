// Package caddyaccess is Caddy's module http.handlers.cloudflare_access, with its directive.
package caddyaccess

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cfaccess/cfaccess/core"
)

func init() { // Caddy knows a plugin only by what its package registers when it is imported
	caddy.RegisterModule(new(Handler))
	httpcaddyfile.RegisterDirectiveOrder("cloudflare_access", httpcaddyfile.Before, "basic_auth")
	httpcaddyfile.RegisterHandlerDirective("cloudflare_access", func(d httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h := new(Handler)
		return h, h.UnmarshalCaddyfile(d.Dispenser)
	})
}

// Handler lets only verified Cloudflare Access callers reach the handlers behind it.
// The allow lists are alternatives. Without any, every verified caller passes. An empty
// one names nobody. Placeholders that are known at start, such as {env.TEAM_DOMAIN}, work.
type Handler struct {
	Team          string   `json:"team,omitempty"`          // name or domain, such as "acme"; required
	Audiences     []string `json:"audiences,omitempty"`     // AUD tags of the applications; at least one
	Endpoint      string   `json:"endpoint,omitempty"`      // URL of a local Access; default: the team domain
	HeaderOnly    bool     `json:"header_only,omitempty"`   // ignores the cookie
	AllowEmails   []string `json:"allow_emails,omitzero"`   // addresses of people
	AllowDomains  []string `json:"allow_domains,omitzero"`  // domains of these addresses
	AllowGroups   []string `json:"allow_groups,omitzero"`   // names, ids or emails of groups
	AllowServices []string `json:"allow_services,omitzero"` // Client IDs of service tokens
	Optional      bool     `json:"optional,omitempty"`      // a request without a token passes as anonymous
	Skip          []string `json:"skip,omitempty"`          // exact paths that pass unchecked, escapes included

	key      string // of the verifier in the pool; "" is none
	verifier *core.Verifier
	rule     core.Rule
	skips    func(path string) bool
}

// CaddyModule implements [caddy.Module].
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.cloudflare_access", New: func() caddy.Module { return new(Handler) }}
}

// UnmarshalCaddyfile implements [caddyfile.Unmarshaler]. An option that takes a list may be repeated.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	options := map[string]any{
		"team": &h.Team, "audience": &h.Audiences, "endpoint": &h.Endpoint, "header_only": &h.HeaderOnly,
		"allow_emails": &h.AllowEmails, "allow_domains": &h.AllowDomains, "allow_groups": &h.AllowGroups,
		"allow_services": &h.AllowServices, "optional": &h.Optional, "skip": &h.Skip,
	}
	d.Next()
	for d.NextBlock(0) {
		name, values, ok := d.Val(), d.RemainingArgs(), false
		switch option := options[name].(type) {
		case *string:
			*option, ok = strings.Join(values, " "), len(values) == 1 && *option == ""
		case *[]string:
			*option, ok = append(*option, values...), len(values) > 0
		case *bool:
			*option, ok = true, len(values) == 0
		}
		if !ok {
			return d.Errf("cloudflare_access: unknown option, wrong number of values, or repeated: %s", strings.Join(append([]string{name}, values...), " "))
		}
	}
	if h.Team == "" || h.Audiences == nil {
		return d.Err("cloudflare_access: want a block with team and audience, and no value in front of it")
	}
	return nil
}

// Provision implements [caddy.Provisioner]. The keys are fetched for the first request.
func (h *Handler) Provision(ctx caddy.Context) (err error) {
	lists := [][]string{h.AllowServices, h.AllowEmails, h.AllowDomains, h.AllowGroups, h.Audiences, h.Skip}
	values := []*string{&h.Team, &h.Endpoint}
	for _, list := range lists {
		for i := range list {
			values = append(values, &list[i])
		}
	}
	for _, value := range values {
		if *value, err = caddy.NewReplacer().ReplaceOrErr(*value, true, true); err != nil {
			return err
		}
	}
	var alternatives []core.Policy // Groups is the last, since it asks Access
	for i, policy := range []func(...string) core.Policy{core.Services, core.Emails, core.EmailDomains, core.Groups} {
		if lists[i] != nil {
			alternatives = append(alternatives, policy(append(lists[i], "")...)) // "" is nobody; Services() is anybody
			h.rule.Policy = core.AnyOf(alternatives...)
		}
	}
	log.Store(new(ctx.Slogger().Handler()))
	v, err := core.New(core.Config{Team: h.Team, Audiences: h.Audiences, Endpoint: h.Endpoint, HeaderOnly: h.HeaderOnly, Logger: slog.New(logger{*log.Load()})})
	if err != nil {
		return err
	}
	h.key = fmt.Sprintf("%q %q %q %t", h.Team, h.Audiences, h.Endpoint, h.HeaderOnly)
	pooled, _ := verifiers.LoadOrStore(h.key, v)
	h.verifier, h.rule.Optional = pooled.(*core.Verifier), h.Optional
	return nil
}

// Validate implements [caddy.Validator].
func (h *Handler) Validate() (err error) {
	defer func() {
		if reason := recover(); reason != nil { // SkipPaths is made for programs
			err = fmt.Errorf("skip: %v", reason)
		}
	}()
	h.skips = core.SkipPaths(h.Skip...)
	return nil
}

// Cleanup implements [caddy.CleanerUpper]. Requests that are under way go on with the verifier.
func (h *Handler) Cleanup() error {
	_, err := verifiers.Delete(h.key)
	return err
}

// ServeHTTP implements [caddyhttp.MiddlewareHandler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) (err error) {
	var claims *core.Claims
	if !h.skips(r.URL.EscapedPath()) {
		claims, err = h.verifier.Admit(r.Context(), r.Header, h.rule)
	}
	forwarded := core.Forward(r, claims)
	// {http.request.header.*} and handle_errors read the map of the request that came, so it is changed in place.
	maps.DeleteFunc(r.Header, func(name string, _ []string) bool { _, kept := forwarded.Header[name]; return !kept })
	maps.Copy(r.Header, forwarded.Header)
	forwarded.Header = r.Header
	if err != nil {
		core.Refuse(err).ServeHTTP(w, r)
		return nil // with an error, Caddy would answer
	}
	claims, _ = core.FromContext(forwarded.Context()) // an outer handler's, if this one has none
	claims = cmp.Or(claims, anonymous)
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	repl.Set("http.auth.user.id", cmp.Or(claims.Subject, claims.CommonName))
	repl.Set("http.auth.user.email", claims.Email)
	repl.Set("http.auth.user.groups", groups{forwarded})
	return next.ServeHTTP(w, forwarded)
}

// groups is {http.auth.user.groups}. It asks Access when it is read, and is "" if that fails.
type groups struct{ request *http.Request }

func (g groups) String() string {
	var names []string
	caller, _ := core.FromContext(g.request.Context())
	if identity, err := cmp.Or(caller, anonymous).Identity(g.request.Context()); err == nil {
		for _, group := range identity.Groups {
			if name := cmp.Or(group.Name, group.ID, group.Email); !strings.Contains(name, ",") {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, ",")
}

// Verifiers outlive a configuration, so that a reload keeps the keys. They log to the newest one's log.
var verifiers, log, anonymous = caddy.NewUsagePool(), new(atomic.Pointer[slog.Handler]), new(core.Claims)

type logger struct{ slog.Handler }

func (logger) Enabled(c context.Context, l slog.Level) bool  { return (*log.Load()).Enabled(c, l) }
func (logger) Handle(c context.Context, r slog.Record) error { return (*log.Load()).Handle(c, r) }
