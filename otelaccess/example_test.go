package otelaccess_test

import (
	"context"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/otelaccess"
)

func Example() {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	reader := metric.NewManualReader() // a server has an exporter, for Prometheus or OTLP
	provider := otelaccess.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))

	cfg := core.Config{Team: "acme", Audiences: []string{audience}, Endpoint: team.URL, Logger: slog.New(slog.DiscardHandler)}
	cfg.Hooks = otelaccess.Hooks(provider)
	verifier, err := core.New(cfg)
	if err != nil {
		panic(err)
	}
	registration, err := otelaccess.Observe(verifier, provider)
	if err != nil {
		panic(err)
	}
	defer registration.Unregister()

	_, _ = verifier.Verify(context.Background(), team.SignUser(audience, "ada@example.com"))
	_, _ = verifier.Verify(context.Background(), "")

	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &metrics); err != nil {
		panic(err)
	}
	for _, m := range metrics.ScopeMetrics[0].Metrics {
		if sum, ok := m.Data.(metricdata.Sum[int64]); ok && sum.IsMonotonic {
			fmt.Println(m.Name, len(sum.DataPoints))
		}
	}
	// Output:
	// cfaccess.decisions 2
	// cfaccess.fetches 1
}

// Hooks of your own run after those of otelaccess.
func ExampleHooks() {
	audit := func(_ context.Context, d core.Decision) { fmt.Println(core.Refuse(d.Err).Code) }

	var cfg core.Config
	cfg.Hooks = otelaccess.Hooks().Join(core.Hooks{Decided: audit})

	cfg.Hooks.Decided(context.Background(), core.Decision{Err: core.ErrNoToken})
	// Output: token_missing
}
