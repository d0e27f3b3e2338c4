package otelaccess_test

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/otelaccess"
)

const audience = "32eafc7626e737aacf9ab6dbf6fe6f6ce3f0d5ad0b8d0a9d3b9a2d3c3a2b4228"

// A rig is a Verifier of a fake team, whose metrics can be read.
type rig struct {
	*core.Verifier
	hooks    core.Hooks
	team     *accesstest.Team
	reader   *metric.ManualReader
	provider *metric.MeterProvider
}

func newRig(t testing.TB, options ...otelaccess.Option) *rig {
	t.Helper()
	r := &rig{team: accesstest.NewTeam("acme"), reader: metric.NewManualReader()}
	t.Cleanup(r.team.Close)
	r.provider = metric.NewMeterProvider(metric.WithReader(r.reader))
	options = append(options, otelaccess.WithMeterProvider(r.provider))
	r.hooks = otelaccess.Hooks(options...)
	r.Verifier = newVerifier(t, r.team, r.hooks)
	return r
}

func newVerifier(t testing.TB, team *accesstest.Team, hooks core.Hooks) *core.Verifier {
	t.Helper()
	v, err := core.New(core.Config{
		Team: "acme", Audiences: []string{audience}, Endpoint: team.URL, Hooks: hooks, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// metrics returns what has been reported, by name.
func (r *rig) metrics(t testing.TB) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	found := map[string]metricdata.Metrics{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			found[m.Name] = m
		}
	}
	return found
}

// wantCounts compares the readings of a counter by their attributes: "key=value"
// with commas in between, sorted by key.
func (r *rig) wantCounts(t testing.TB, name string, want map[string]int64) {
	t.Helper()
	got := map[string]int64{}
	sum, _ := r.metrics(t)[name].Data.(metricdata.Sum[int64])
	for _, point := range sum.DataPoints {
		got[point.Attributes.Encoded(attribute.DefaultEncoder())] = point.Value
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s: got  %v\nwant %v", name, got, want)
	}
}

func inHeader(token string) http.Header { return http.Header{core.TokenHeader: {token}} }
