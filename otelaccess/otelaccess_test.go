package otelaccess_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/otelaccess"
)

// Each class of error has an outcome, and so has each sort of caller.
func TestDecisionsAreCounted(t *testing.T) {
	someone := &core.Claims{Email: "ada@example.com"}
	bot := &core.Claims{CommonName: "bot.access"}
	for want, d := range map[string]core.Decision{
		"cfaccess.cached=false,cfaccess.outcome=allowed":                                               {Claims: someone},
		"cfaccess.cached=true,cfaccess.outcome=allowed":                                                {Claims: someone, Cached: true},
		"cfaccess.cached=true,cfaccess.outcome=allowed,cfaccess.service=true":                          {Claims: bot, Cached: true},
		"cfaccess.cached=false,cfaccess.outcome=allowed,cfaccess.required=true":                        {Claims: someone, Required: true},
		"cfaccess.cached=false,cfaccess.outcome=anonymous":                                             {},
		"cfaccess.cached=true,cfaccess.outcome=forbidden,cfaccess.service=true,error.type=forbidden":   {Claims: bot, Cached: true, Err: core.ErrForbidden},
		"cfaccess.cached=false,cfaccess.outcome=policy_unavailable,error.type=policy_unavailable":      {Claims: someone, Err: core.ErrPolicyUnavailable},
		"cfaccess.cached=false,cfaccess.outcome=keys_unavailable,error.type=keys_unavailable":          {Err: core.ErrKeysUnavailable},
		"cfaccess.cached=false,cfaccess.outcome=token_missing,error.type=no_token":                     {Err: core.ErrNoToken},
		"cfaccess.cached=true,cfaccess.outcome=token_expired,error.type=expired":                       {Err: core.ErrExpired, Cached: true},
		"cfaccess.cached=false,cfaccess.outcome=token_not_yet_valid,error.type=not_yet_valid":          {Err: core.ErrNotYetValid},
		"cfaccess.cached=false,cfaccess.outcome=token_invalid,error.type=malformed":                    {Err: core.ErrMalformed},
		"cfaccess.cached=false,cfaccess.outcome=token_invalid,error.type=unknown_key":                  {Err: fmt.Errorf("%w: x", core.ErrUnknownKey)},
		"cfaccess.cached=false,cfaccess.outcome=token_invalid,error.type=signature":                    {Err: core.ErrSignature},
		"cfaccess.cached=false,cfaccess.outcome=token_invalid,error.type=issuer":                       {Err: core.ErrIssuer},
		"cfaccess.cached=false,cfaccess.outcome=token_invalid,error.type=audience":                     {Err: core.ErrAudience},
		"cfaccess.cached=false,cfaccess.outcome=token_invalid,error.type=token_type":                   {Err: core.ErrTokenType},
		"cfaccess.cached=false,cfaccess.outcome=internal_error,error.type=_OTHER":                      {Err: errors.New("x")},
		"cfaccess.cached=false,cfaccess.outcome=forbidden,cfaccess.required=true,error.type=forbidden": {Claims: someone, Err: core.ErrForbidden, Required: true},
	} {
		r := newRig(t)
		d.Duration = 3 * time.Microsecond
		r.hooks.Decided(t.Context(), d)
		r.hooks.Decided(t.Context(), d)
		r.wantCounts(t, "cfaccess.decisions", map[string]int64{want: 2})
		histogram := r.metrics(t)["cfaccess.decision.duration"].Data.(metricdata.Histogram[float64]).DataPoints[0]
		if histogram.Count != 2 || histogram.BucketCounts[1] != 2 || histogram.Attributes.Len() != 0 {
			t.Errorf("duration: %+v", histogram)
		}
	}
}

func TestFetchesAreCounted(t *testing.T) {
	r := newRig(t)
	verify := func() *core.Claims {
		claims, err := r.Verify(t.Context(), r.team.SignUser(audience, "ada@example.com"))
		if err != nil {
			t.Fatal(err)
		}
		return claims
	}
	if _, err := verify().Identity(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.team.Rotate()
	verify()
	r.team.Fail(503)
	_ = r.Refresh(t.Context())
	r.wantCounts(t, "cfaccess.fetches", map[string]int64{
		"cfaccess.fetch.reason=first,cfaccess.outcome=ok":       1,
		"cfaccess.fetch.reason=identity,cfaccess.outcome=ok":    1,
		"cfaccess.fetch.reason=unknown kid,cfaccess.outcome=ok": 1,
		"cfaccess.fetch.reason=asked,cfaccess.outcome=failed":   1,
	})
	if n := len(r.metrics(t)["cfaccess.fetch.duration"].Data.(metricdata.Histogram[float64]).DataPoints); n != 4 {
		t.Errorf("durations of %d sorts of fetches, want 4", n)
	}
}

// Strangers can't add time series: nothing of a token is an attribute.
func TestForgedTokensAddNoTimeSeries(t *testing.T) {
	r := newRig(t)
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	_, good, _ := strings.Cut(r.team.SignUser(audience, "ada@example.com"), ".")
	_, signature, _ := strings.Cut(good, ".")
	for i := range 10_000 {
		kid := r.team.KeyID()
		if i%2 == 0 {
			kid = fmt.Sprint("kid", i)
		}
		header := fmt.Sprintf(`{"alg":"RS256","kid":%q,"x":%d}`, kid, i)
		claims := fmt.Sprintf(`{"iss":"https://team%d.example.com","aud":["aud%d"],"email":"user%d@example.com","sub":"s%d","type":"t%d"}`, i%3, i, i, i, i)
		token := encode([]byte(header)) + "." + encode([]byte(claims)) + "." + signature
		if i%5 == 0 {
			token = fmt.Sprint("garbage", i)
		}
		if _, err := r.Admit(t.Context(), inHeader(token), core.Rule{}); err == nil {
			t.Fatal("a forged token is accepted")
		}
	}
	r.wantCounts(t, "cfaccess.decisions", map[string]int64{
		"cfaccess.cached=false,cfaccess.outcome=token_invalid,error.type=malformed":   2000,
		"cfaccess.cached=false,cfaccess.outcome=token_invalid,error.type=unknown_key": 4000,
		"cfaccess.cached=false,cfaccess.outcome=token_invalid,error.type=signature":   4000,
	})
	points := 0
	for name, m := range r.metrics(t) {
		n := 1
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			n = len(data.DataPoints)
		case metricdata.Histogram[float64]:
			n = len(data.DataPoints)
		}
		t.Logf("%s: %d", name, n)
		points += n
	}
	if points > 12 {
		t.Errorf("%d time series", points)
	}
}

func TestObserve(t *testing.T) {
	r := newRig(t)
	registration, err := otelaccess.Observe(r.Verifier, otelaccess.WithMeterProvider(r.provider))
	if err != nil {
		t.Fatal(err)
	}
	readings := r.metrics(t)
	if _, ok := readings["cfaccess.keys.age"]; ok {
		t.Error("the keys have an age before there are any")
	}
	if _, err := r.Verify(t.Context(), r.team.SignUser(audience, "ada@example.com")); err != nil {
		t.Fatal(err)
	}
	readings = r.metrics(t)
	age := readings["cfaccess.keys.age"].Data.(metricdata.Gauge[float64]).DataPoints[0].Value
	remaining := readings["cfaccess.keys.remaining"].Data.(metricdata.Gauge[float64]).DataPoints[0].Value
	if age <= 0 || age > 60 || age+remaining != (24*time.Hour).Seconds() {
		t.Errorf("the keys are %v s old, and %v s remain", age, remaining)
	}
	tokens := readings["cfaccess.cache.tokens"].Data.(metricdata.Sum[int64])
	usage := readings["cfaccess.cache.usage"].Data.(metricdata.Sum[int64])
	if tokens.IsMonotonic || tokens.DataPoints[0].Value != 1 || usage.DataPoints[0].Value < 1000 {
		t.Errorf("tokens %+v, bytes %+v", tokens, usage)
	}

	if err := registration.Unregister(); err != nil {
		t.Fatal(err)
	}
	readings = r.metrics(t)
	for _, name := range []string{"cfaccess.keys.age", "cfaccess.keys.remaining", "cfaccess.cache.tokens", "cfaccess.cache.usage"} {
		if _, ok := readings[name]; ok {
			t.Errorf("%s is reported after Unregister", name)
		}
	}
}

// The names and units of all metrics. Dashboards and alerts depend on them.
func TestNamesAndUnits(t *testing.T) {
	r := newRig(t)
	if _, err := otelaccess.Observe(r.Verifier, otelaccess.WithMeterProvider(r.provider)); err != nil {
		t.Fatal(err)
	}
	_, _ = r.Verify(t.Context(), r.team.SignUser(audience, "ada@example.com"))
	got := map[string]string{}
	for name, m := range r.metrics(t) {
		if m.Description == "" {
			t.Errorf("%s has no description", name)
		}
		got[name] = m.Unit
	}
	if want := map[string]string{
		"cfaccess.decisions": "{decision}", "cfaccess.decision.duration": "s", "cfaccess.fetches": "{fetch}", "cfaccess.fetch.duration": "s",
		"cfaccess.keys.age": "s", "cfaccess.keys.remaining": "s", "cfaccess.cache.tokens": "{token}", "cfaccess.cache.usage": "By",
	}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Two Verifiers whose attributes differ don't replace each other's readings.
func TestWithAttributes(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"inner", "outer"} {
		option := otelaccess.WithAttributes(attribute.String("app", name))
		hooks := otelaccess.Hooks(otelaccess.WithMeterProvider(r.provider), option)
		v := newVerifier(t, r.team, hooks)
		if _, err := otelaccess.Observe(v, otelaccess.WithMeterProvider(r.provider), option); err != nil {
			t.Fatal(err)
		}
		_, _ = v.Verify(t.Context(), "")
	}
	r.wantCounts(t, "cfaccess.decisions", map[string]int64{
		"app=inner,cfaccess.cached=false,cfaccess.outcome=token_missing,error.type=no_token": 1,
		"app=outer,cfaccess.cached=false,cfaccess.outcome=token_missing,error.type=no_token": 1,
	})
	r.wantCounts(t, "cfaccess.cache.tokens", map[string]int64{"app=inner": 0, "app=outer": 0})
	if n := len(r.metrics(t)["cfaccess.decision.duration"].Data.(metricdata.Histogram[float64]).DataPoints); n != 2 {
		t.Errorf("%d histograms, want 2", n)
	}
}

func TestSpanAttributes(t *testing.T) {
	ada := func(team *accesstest.Team) string {
		return team.SignUser(audience, "ada@example.com", accesstest.WithClaim("sub", "7335d417"))
	}
	admit := func(ctx context.Context, v *core.Verifier, token string) context.Context {
		claims, _ := v.Admit(ctx, inHeader(token), core.Rule{})
		return core.NewContext(ctx, claims)
	}
	for name, test := range map[string]struct {
		options []otelaccess.Option
		request func(ctx context.Context, r *rig)
		want    string
	}{
		"verified": {nil, func(ctx context.Context, r *rig) { admit(ctx, r.Verifier, ada(r.team)) },
			"cfaccess.cached=false,cfaccess.outcome=allowed"},
		"cached": {nil, func(ctx context.Context, r *rig) {
			token := ada(r.team)
			admit(context.Background(), r.Verifier, token)
			admit(ctx, r.Verifier, token)
		}, "cfaccess.cached=true,cfaccess.outcome=allowed"},
		"refused": {nil, func(ctx context.Context, r *rig) { admit(ctx, r.Verifier, "x") },
			"cfaccess.cached=false,cfaccess.error.type=malformed,cfaccess.outcome=token_invalid"},
		"cached, then refused by Require": {nil, func(ctx context.Context, r *rig) {
			token := ada(r.team)
			admit(context.Background(), r.Verifier, token)
			_, _ = core.Require(admit(ctx, r.Verifier, token), core.Services())
		}, "cfaccess.cached=true,cfaccess.error.type=forbidden,cfaccess.outcome=forbidden"},
		"user.id": {[]otelaccess.Option{otelaccess.WithUserID()}, func(ctx context.Context, r *rig) { admit(ctx, r.Verifier, ada(r.team)) },
			"cfaccess.cached=false,cfaccess.outcome=allowed,user.id=7335d417"},
		"user.id of a service": {[]otelaccess.Option{otelaccess.WithUserID()}, func(ctx context.Context, r *rig) {
			admit(ctx, r.Verifier, r.team.SignService(audience, "bot.access"))
		}, "cfaccess.cached=false,cfaccess.outcome=allowed"},
		"user.id of nobody": {[]otelaccess.Option{otelaccess.WithUserID()}, func(ctx context.Context, r *rig) { admit(ctx, r.Verifier, "") },
			"cfaccess.cached=false,cfaccess.error.type=no_token,cfaccess.outcome=token_missing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, test.options...)
			spans := tracetest.NewSpanRecorder()
			provider := trace.NewTracerProvider(trace.WithSpanProcessor(spans))
			ctx, span := provider.Tracer("test").Start(t.Context(), "GET /")
			test.request(ctx, r)
			span.End()
			set := attribute.NewSet(spans.Ended()[0].Attributes()...)
			if got := set.Encoded(attribute.DefaultEncoder()); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if all := fmt.Sprintf("%+v %+v", r.metrics(t), spans.Ended()[0].Attributes()); strings.Contains(all, "ada@") {
				t.Error("the email is reported")
			}
			if all := fmt.Sprintf("%+v", r.metrics(t)); strings.Contains(all, "7335d417") {
				t.Error("the person is on a metric")
			}
		})
	}
}

// Hooks of a provider that fails report nothing, and harm no request.
func TestFailingProvider(t *testing.T) {
	var handled error
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { handled = err }))
	broken := otelaccess.WithMeterProvider(brokenProvider{})
	if hooks := otelaccess.Hooks(broken); hooks.Decided != nil || hooks.Fetched != nil || !errors.Is(handled, errBroken) {
		t.Errorf("hooks %+v, error %v", hooks, handled)
	}
	r := newRig(t)
	if _, err := otelaccess.Observe(r.Verifier, broken); !errors.Is(err, errBroken) {
		t.Errorf("Observe: %v", err)
	}
}

var errBroken = errors.New("broken")

type brokenProvider struct{ noop.MeterProvider }

func (brokenProvider) Meter(string, ...metric.MeterOption) metric.Meter { return brokenMeter{} }

type brokenMeter struct{ noop.Meter }

func (brokenMeter) Int64Counter(string, ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return nil, errBroken
}

func (brokenMeter) Float64ObservableGauge(string, ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	return nil, errBroken
}
