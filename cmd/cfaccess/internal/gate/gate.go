// Package gate decides about requests to applications that aren't written in Go:
// for a proxy that asks it (forward authentication), or as a reverse proxy.
package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/otelaccess"
)

// A Gate decides about requests. Make one with [New].
type Gate struct {
	logger   *slog.Logger
	registry *prometheus.Registry
	provider *metric.MeterProvider
	config   atomic.Pointer[Config]
	fetching sync.WaitGroup
}

// A verifier stays in use as long as an application has its audiences, so that a
// reload keeps keys and verified tokens.
type verifier struct {
	*core.Verifier
	stop func()
}

// New returns a gate. It fetches keys in the background until it has some, or ctx
// ends.
func New(ctx context.Context, config *Config, logger *slog.Logger) (*Gate, error) {
	g := &Gate{logger: logger, registry: prometheus.NewRegistry()}
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(g.registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, err
	}
	g.provider = metric.NewMeterProvider(metric.WithReader(exporter))
	g.config.Store(new(Config))
	return g, g.use(ctx, config)
}

// use replaces the configuration, or leaves the old one after an error. One call
// at a time.
func (g *Gate) use(ctx context.Context, next *Config) (err error) {
	old := g.config.Load()
	if len(old.Applications) > 0 && old.isProxy() != next.isProxy() {
		return errors.New("forward authentication can't become a proxy, nor a proxy forward authentication, without a restart")
	}
	stop := func(these, except map[string]*verifier) {
		for key, v := range these {
			if except[key] == nil {
				v.stop()
			}
		}
	}
	next.verifiers = map[string]*verifier{}
	for i := range next.Applications {
		a := &next.Applications[i]
		audiences := slices.Sorted(slices.Values(a.Audiences))
		key := fmt.Sprintf("%q", append([]string{next.Team, next.Endpoint}, audiences...))
		if a.verifier = cmp.Or(next.verifiers[key], old.verifiers[key]); a.verifier == nil {
			if a.verifier, err = g.newVerifier(ctx, core.Config{Team: next.Team, Endpoint: next.Endpoint, Audiences: audiences}); err != nil {
				stop(next.verifiers, old.verifiers)
				return err
			}
		}
		next.verifiers[key] = a.verifier
	}
	g.config.Store(next)
	stop(old.verifiers, next.verifiers)
	return nil
}

func (c *Config) isProxy() bool { return c.Applications[0].Upstream != "" }

// newVerifier returns a verifier with metrics, and fetches its keys in the
// background, for readiness.
func (g *Gate) newVerifier(ctx context.Context, config core.Config) (*verifier, error) {
	attributes := otelaccess.WithAttributes(attribute.String("cfaccess.audience", strings.Join(config.Audiences, ",")))
	provider := otelaccess.WithMeterProvider(g.provider)
	config.Logger, config.Hooks = g.logger, otelaccess.Hooks(provider, attributes)
	v, err := core.New(config)
	if err != nil {
		return nil, err
	}
	registration, err := otelaccess.Observe(v, provider, attributes)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	g.fetching.Go(func() {
		for delay := time.Second; !hasKeys(v) && v.Refresh(ctx) != nil; delay = min(2*delay, time.Minute) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(delay):
			}
		}
	})
	return &verifier{v, func() { cancel(); _ = registration.Unregister() }}, nil // it never fails
}

func hasKeys(v *core.Verifier) bool { return !v.Stats().KeysFetched.IsZero() }

// Close ends the fetches in the background.
func (g *Gate) Close() {
	for _, v := range g.config.Load().verifiers {
		v.stop()
	}
	g.fetching.Wait()
}

// original is the request that a decision is about.
type original struct{ method, host, target string }

// A decision admits the caller, who is not known if a rule is public, unless there
// is a refusal.
type decision struct {
	config  *Config
	app     *Application
	claims  *core.Claims
	refusal *core.Refusal
}

// statuses are those for requests about which no rule can be asked, as the proxy
// understands them. missing is 0 where the request itself is the original.
type statuses struct{ missing, host, path int }

const misconfigured = "proxy_misconfigured" // code of a refusal

// decide finds the caller's token in h.
func (g *Gate) decide(ctx context.Context, h http.Header, o original, s statuses) (d decision) {
	d.config = g.config.Load()
	if s.missing != 0 && (o.method == "" || o.host == "" || o.target == "") {
		d.refusal = refusal(s.missing, misconfigured, "The proxy in front does not send the original method, host and URI, each in one header.")
		return d
	}
	if d.app = d.config.application(o.host); d.app == nil {
		d.refusal = refusal(s.host, "host_unknown", "No application has this host name.")
		return d
	}
	var rule Rule
	if len(d.app.Rules) > 0 {
		path, ok := normalPath(o.target)
		if !ok {
			d.refusal = refusal(s.path, "path_invalid", "The path is not in normal form.")
			return d
		}
		if i := slices.IndexFunc(d.app.Rules, func(r Rule) bool { return r.matches(o.method, path) }); i >= 0 {
			rule = d.app.Rules[i]
		}
	}
	if !rule.Public {
		var err error
		if d.claims, err = d.app.verifier.Admit(ctx, h, core.Rule{Policy: rule.policy}); err != nil {
			d.refusal = core.Refuse(err)
		}
	}
	return d
}

func refusal(status int, code, detail string) *core.Refusal {
	return &core.Refusal{Status: status, Title: http.StatusText(status), Code: code, Detail: detail}
}

// application returns the one of a Host header, or nil.
func (c *Config) application(host string) *Application {
	if name, port, found := strings.Cut(host, ":"); found && strings.Trim(port, "0123456789") == "" {
		host = name
	}
	return cmp.Or(c.hosts[strings.ToLower(host)], c.hosts["*"])
}
