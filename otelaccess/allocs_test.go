//go:build !race

package otelaccess_test

import (
	"context"
	"testing"

	metricnoop "go.opentelemetry.io/otel/metric/noop"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/otelaccess"
)

// The race detector allocates too, so this file is built without it.

// A cached token costs no allocation with metrics either.
func TestAllocations(t *testing.T) {
	r := newRig(t)
	admit := cachedDecision(t, r, r.Verifier)
	if allocations := testing.AllocsPerRun(1000, admit); allocations != 0 {
		t.Errorf("%v allocations, want none", allocations)
	}
}

// BenchmarkCachedDecision compares a cached decision without hooks, with hooks
// of a MeterProvider that does nothing, and with those of the SDK's.
func BenchmarkCachedDecision(b *testing.B) {
	r := newRig(b)
	for _, bench := range []struct {
		name  string
		hooks core.Hooks
	}{
		{"off", core.Hooks{}},
		{"noop", otelaccess.Hooks(otelaccess.WithMeterProvider(metricnoop.NewMeterProvider()))},
		{"on", otelaccess.Hooks(otelaccess.WithMeterProvider(r.provider))},
	} {
		b.Run("metrics="+bench.name, func(b *testing.B) {
			admit := cachedDecision(b, r, newVerifier(b, r.team, bench.hooks))
			b.ReportAllocs()
			for b.Loop() {
				admit()
			}
		})
	}
}

// cachedDecision returns a call that decides about a request whose token v has
// cached.
func cachedDecision(t testing.TB, r *rig, v *core.Verifier) func() {
	t.Helper()
	headers := inHeader(r.team.SignUser(audience, "ada@example.com"))
	admit := func() {
		if _, err := v.Admit(context.Background(), headers, core.Rule{}); err != nil {
			t.Fatal(err)
		}
	}
	admit()
	return admit
}
