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
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/otelaccess"
)

// A Gate decides about requests. Make one with [New].
type Gate struct {
	logger   *slog.Logger
	registry *prometheus.Registry
	provider *sdk.MeterProvider
	config   atomic.Pointer[Config]
}

// A verifier stays in use as long as an application has its audiences, so that a
// reload keeps keys and verified tokens. The registration is of its metrics.
type verifier struct {
	*core.Verifier
	metric.Registration
}

// New returns a gate. It sends no request.
func New(config *Config, logger *slog.Logger) (*Gate, error) {
	g := &Gate{logger: logger, registry: prometheus.NewRegistry()}
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(g.registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, err
	}
	g.provider = sdk.NewMeterProvider(sdk.WithReader(exporter))
	return g, g.use(config)
}

// use replaces the configuration, or leaves the old one after an error. One call
// at a time.
func (g *Gate) use(next *Config) (err error) {
	old := g.config.Load()
	if old == nil {
		old = new(Config)
	} else if old.isProxy() != next.isProxy() {
		return errors.New("forward authentication can't become a proxy, nor a proxy forward authentication, without a restart")
	}
	next.verifiers = map[string]*verifier{}
	for i := range next.Applications {
		a := &next.Applications[i]
		audiences := slices.Sorted(slices.Values(a.Audiences))
		key := fmt.Sprintf("%q", append([]string{next.Team, next.Endpoint}, audiences...))
		if a.verifier = cmp.Or(next.verifiers[key], old.verifiers[key]); a.verifier == nil {
			if a.verifier, err = g.newVerifier(core.Config{Team: next.Team, Endpoint: next.Endpoint, Audiences: audiences}); err != nil {
				next.unregister(old.verifiers)
				return err
			}
		}
		next.verifiers[key] = a.verifier
	}
	g.config.Store(next)
	old.unregister(next.verifiers)
	return nil
}

// unregister removes the metrics of the verifiers that aren't among those in use.
func (c *Config) unregister(inUse map[string]*verifier) {
	for key, v := range c.verifiers {
		if inUse[key] == nil {
			_ = v.Unregister() // it never fails
		}
	}
}

func (g *Gate) newVerifier(config core.Config) (*verifier, error) {
	attributes := otelaccess.WithAttributes(attribute.String("cfaccess.audience", strings.Join(config.Audiences, ",")))
	provider := otelaccess.WithMeterProvider(g.provider)
	config.Logger, config.Hooks = g.logger, otelaccess.Hooks(provider, attributes)
	v, err := core.New(config)
	if err != nil {
		return nil, err
	}
	registration, err := otelaccess.Observe(v, provider, attributes)
	return &verifier{v, registration}, err
}

// missing returns a verifier that has never had keys, or nil.
func (g *Gate) missing() *verifier {
	for _, v := range g.config.Load().verifiers {
		if v.Stats().KeysFetched.IsZero() {
			return v
		}
	}
	return nil
}

// original is the request that a decision is about. All fields are empty if the
// proxy in front doesn't say it.
type original struct{ method, host, target string }

const misconfigured = "proxy_misconfigured" // code of a refusal

// decide finds the caller's token in h. The caller is nil if a rule is public.
func (g *Gate) decide(ctx context.Context, h http.Header, o original) (*Application, *core.Claims, *core.Refusal) {
	if o.target == "" {
		return nil, nil, forbidden(misconfigured, "The proxy in front does not send the original method, host and URI, each in one header.")
	}
	app := g.config.Load().application(o.host)
	if app == nil {
		return nil, nil, forbidden("host_unknown", "No application has this host name.")
	}
	var rule Rule
	if len(app.Rules) > 0 {
		path, ok := normalPath(o.target)
		if !ok {
			return nil, nil, forbidden("path_invalid", "The path is not in normal form.")
		}
		if i := slices.IndexFunc(app.Rules, func(r Rule) bool { return r.matches(o.method, path) }); i >= 0 {
			rule = app.Rules[i]
		}
	}
	if rule.Public {
		return app, nil, nil
	}
	claims, err := app.verifier.Admit(ctx, h, core.Rule{Policy: rule.policy})
	if err != nil {
		return nil, nil, core.Refuse(err)
	}
	return app, claims, nil
}

// forbidden has the only status for a refusal that every proxy understands: nginx
// takes 400 for a failure.
func forbidden(code, detail string) *core.Refusal {
	return &core.Refusal{Status: http.StatusForbidden, Title: http.StatusText(http.StatusForbidden), Code: code, Detail: detail}
}

// application returns the one of a Host header, or nil.
func (c *Config) application(host string) *Application {
	if name, port, found := strings.Cut(host, ":"); found && strings.Trim(port, "0123456789") == "" {
		host = name
	}
	return cmp.Or(c.hosts[strings.ToLower(host)], c.hosts["*"])
}
