// Package gate decides about requests to applications that aren't written in Go:
// for a proxy that asks it (forward authentication), or as a reverse proxy.
package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/otelaccess"
)

// A Gate decides about requests. Make one with [New].
type Gate struct {
	load     func() (*Config, error)
	logger   *slog.Logger
	registry *prometheus.Registry
	provider *metric.MeterProvider
	site     atomic.Pointer[site]

	mu       sync.Mutex // one Reload at a time
	fetching sync.WaitGroup
}

// A site is a configuration in use. It doesn't change.
type site struct {
	config       *Config
	applications map[string]*application // by host
	verifiers    map[string]*verifier    // by what they verify
}

type application struct {
	*verifier
	rules    []rule
	upstream http.Handler // nil for forward authentication
}

// A verifier is of one or more applications, and stays in use as long as a
// configuration has one of them, so that a reload keeps keys and tokens.
type verifier struct {
	*core.Verifier
	stop func()
}

// New returns a gate with the configuration that load returns. It fetches keys in
// the background until it has some, or ctx ends.
func New(ctx context.Context, logger *slog.Logger, load func() (*Config, error)) (*Gate, error) {
	g := &Gate{load: load, logger: logger, registry: prometheus.NewRegistry()}
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(g.registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, err
	}
	g.provider = metric.NewMeterProvider(metric.WithReader(exporter))
	g.site.Store(&site{})
	return g, g.Reload(ctx)
}

// Reload loads the configuration again. After an error the gate goes on with the
// old one. An unchanged team, endpoint and list of audiences keep their keys and
// their cache.
func (g *Gate) Reload(ctx context.Context) (err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	config, err := g.load()
	if err != nil {
		return err
	}
	old := g.site.Load()
	if old.config != nil && old.config.IsProxy() != config.IsProxy() {
		return errors.New("a reload can't change between forward authentication and a proxy with upstreams")
	}
	next := &site{config: config, applications: map[string]*application{}, verifiers: map[string]*verifier{}}
	defer func() {
		unused, kept := next, old
		if err == nil {
			unused, kept = old, next
		}
		for key, v := range unused.verifiers {
			if kept.verifiers[key] == nil {
				v.stop()
			}
		}
	}()
	for _, a := range config.Applications {
		audiences := slices.Sorted(slices.Values(a.Audiences))
		key := fmt.Sprintf("%q", append(audiences, config.Team, config.Endpoint))
		v := next.verifiers[key]
		if v == nil {
			if v = old.verifiers[key]; v == nil {
				if v, err = g.newVerifier(ctx, core.Config{Team: config.Team, Audiences: audiences, Endpoint: config.Endpoint, Logger: g.logger}); err != nil {
					return err
				}
			}
			next.verifiers[key] = v
		}
		made := &application{verifier: v, rules: a.rules}
		if a.Upstream != "" {
			if made.upstream, err = server.Upstream(a.Upstream, g.logger, forward); err != nil {
				return err
			}
		}
		for _, host := range a.Hosts {
			next.applications[host] = made
		}
	}
	g.site.Store(next)
	return nil
}

// IsProxy reports whether the applications have upstreams.
func (c *Config) IsProxy() bool { return c.Applications[0].Upstream != "" }

// families are the chosen families of headers.
func (c *Config) families() []string {
	if len(c.IdentityHeaders) == 0 {
		return []string{familyAccess}
	}
	return c.IdentityHeaders
}

// newVerifier returns a verifier that is measured, and whose keys are fetched in
// the background.
func (g *Gate) newVerifier(ctx context.Context, config core.Config) (*verifier, error) {
	options := []otelaccess.Option{
		otelaccess.WithMeterProvider(g.provider),
		otelaccess.WithAttributes(attribute.String("cfaccess.audience", strings.Join(config.Audiences, ","))),
	}
	config.Hooks = otelaccess.Hooks(options...)
	v, err := core.New(config)
	if err != nil {
		return nil, err
	}
	registration, err := otelaccess.Observe(v, options...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	g.fetching.Go(func() {
		for delay := time.Second; v.Stats().KeysFetched.IsZero() && v.Refresh(ctx) != nil; delay = min(2*delay, time.Minute) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(delay):
			}
		}
	})
	return &verifier{v, func() { cancel(); _ = registration.Unregister() }}, nil // it never fails
}

// Close ends the fetches in the background.
func (g *Gate) Close() {
	for _, v := range g.site.Load().verifiers {
		v.stop()
	}
	g.fetching.Wait()
}

// isReady reports whether every application has had keys. Later failures are
// answered with 503 and their reason, request by request.
func (g *Gate) isReady() bool {
	for _, v := range g.site.Load().verifiers {
		if v.Stats().KeysFetched.IsZero() {
			return false
		}
	}
	return true
}

// Refusals that aren't core's.
var (
	errHost     = errors.New("no application has this host")
	errPath     = errors.New("the path is not in normal form, so that no rule can be right about it")
	errOriginal = errors.New("the proxy sends the original request in another way")
)

// original is the request that a decision is about.
type original struct{ method, host, target string }

// A decision admits a caller, who is anonymous where claims is nil, unless err is
// set.
type decision struct {
	site   *site
	app    *application
	claims *core.Claims
	err    error
}

// decide finds the caller's token in h.
func (g *Gate) decide(ctx context.Context, h http.Header, o original) (d decision) {
	d.site = g.site.Load()
	if d.app = d.site.application(o.host); d.app == nil {
		d.err = fmt.Errorf("%w: %.100q", errHost, o.host)
		return d
	}
	var policy core.Policy
	if len(d.app.rules) > 0 {
		path, ok := normalPath(o.target)
		if !ok {
			d.err = errPath
			return d
		}
		lower := strings.ToLower(path)
		if i := slices.IndexFunc(d.app.rules, func(r rule) bool { return r.matches(o.method, path, lower) }); i >= 0 {
			if d.app.rules[i].public {
				return d
			}
			policy = d.app.rules[i].policy
		}
	}
	d.claims, d.err = d.app.Admit(ctx, h, core.Rule{Policy: policy})
	return d
}

// application returns the one of a Host header, nil if there is none.
func (s *site) application(host string) *application {
	if any := s.applications["*"]; any != nil {
		return any
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.Trim(host[i+1:], "0123456789") == "" {
		host = host[:i]
	}
	return s.applications[strings.ToLower(host)]
}

// forward makes the request to the upstream tell who the caller is, and nothing
// that its client claims about that.
func forward(r *httputil.ProxyRequest) {
	d, _ := r.In.Context().Value(decisionKey{}).(decision)
	removeIdentity(r.Out.Header, d.site.config.ForwardToken)
	r.Out.Trailer = nil // some servers read trailers as headers
	if d.claims != nil {
		setIdentity(r.In.Context(), r.Out.Header, d.site.config.families(), d.claims)
	}
}

// decisionKey is where Proxy stores a decision for forward.
type decisionKey struct{}
