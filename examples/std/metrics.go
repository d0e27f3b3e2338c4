package main

import (
	"context"
	"log"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/otelaccess"
)

// newVerifier is core.FromEnv with metrics. They are served on a port of their
// own, since Prometheus has no token.
func newVerifier(ctx context.Context) (*core.Verifier, error) {
	cfg, err := core.ConfigFromEnv()
	if err != nil {
		return nil, err
	}
	verifier, metrics, err := withMetrics(cfg)
	if err != nil {
		return nil, err
	}
	go func() { log.Println(http.ListenAndServe("127.0.0.1:9464", metrics)) }()
	return verifier, verifier.Refresh(ctx)
}

// withMetrics returns a Verifier and a handler that serves its metrics.
func withMetrics(cfg core.Config) (*core.Verifier, http.Handler, error) {
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, nil, err
	}
	provider := otelaccess.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(exporter)))
	cfg.Hooks = otelaccess.Hooks(provider)
	verifier, err := core.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	_, err = otelaccess.Observe(verifier, provider)
	return verifier, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), err
}
