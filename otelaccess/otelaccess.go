// Package otelaccess reports to OpenTelemetry what a [core.Verifier] does:
// metrics of its decisions, fetches, keys and cache, and attributes on the
// spans of requests. The number of time series is bounded: all attributes have a
// few fixed values, and none is taken from a token.
package otelaccess

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/cfaccess/cfaccess/core"
)

// Option changes what [Hooks] and [Observe] do.
type Option func(*config)

type config struct {
	provider   metric.MeterProvider
	attributes []attribute.KeyValue
	userID     bool
}

// WithMeterProvider sets the provider of the instruments. The default is the
// global one, otel.GetMeterProvider().
func WithMeterProvider(provider metric.MeterProvider) Option {
	return func(c *config) { c.provider = provider }
}

// WithAttributes adds attributes to every metric, and to no span. In a process
// with several Verifiers, give each an attribute with another value: otherwise
// their readings replace each other.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	return func(c *config) { c.attributes = append(c.attributes, attributes...) }
}

// WithUserID sets user.id on the spans of requests: the sub claim of a verified
// person. It is on no metric, so Observe ignores it.
func WithUserID() Option {
	return func(c *config) { c.userID = true }
}

func newConfig(options []Option) (config, metric.Meter) {
	c := config{provider: otel.GetMeterProvider()}
	for _, option := range options {
		option(&c)
	}
	return c, c.provider.Meter("github.com/cfaccess/cfaccess/otelaccess")
}

// with returns the option for a measurement with these attributes.
func (c config) with(attributes ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(append(attributes, c.attributes...)...))
}

// Hooks returns hooks that count and time decisions and fetches. On the span in
// the context of a decision they set cfaccess.outcome, cfaccess.cached and, for
// a refusal, cfaccess.error.type. Several decisions about a request leave the
// last outcome there. After an error of the MeterProvider, which goes to
// otel.Handle, the hooks do nothing. core.Hooks.Join adds hooks of your own.
func Hooks(options ...Option) core.Hooks {
	c, meter := newConfig(options)
	decisions, err1 := meter.Int64Counter("cfaccess.decisions", metric.WithUnit("{decision}"), metric.WithDescription("Decisions about requests."))
	duration, err2 := meter.Float64Histogram("cfaccess.decision.duration", metric.WithUnit("s"), metric.WithDescription("Duration of decisions."),
		metric.WithExplicitBucketBoundaries(1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 5))
	fetches, err3 := meter.Int64Counter("cfaccess.fetches", metric.WithUnit("{fetch}"), metric.WithDescription("Fetches of keys and identities."))
	fetchDuration, err4 := meter.Float64Histogram("cfaccess.fetch.duration", metric.WithUnit("s"), metric.WithDescription("Duration of fetches."),
		metric.WithExplicitBucketBoundaries(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		otel.Handle(err)
		return core.Hooks{}
	}
	// Prepared here, so that a decision causes no allocation.
	var onMetric [8 * len(outcomes)][]metric.AddOption
	var onSpan [len(onMetric)][]attribute.KeyValue
	for i := range onMetric {
		attributes, ofSpan := attributesOf(i)
		onMetric[i], onSpan[i] = []metric.AddOption{c.with(attributes...)}, ofSpan
	}
	onEvery := []metric.RecordOption{c.with()}[:min(1, len(c.attributes))] // an empty set costs time too
	return core.Hooks{
		Decided: func(ctx context.Context, d core.Decision) {
			i := seriesOf(d)
			decisions.Add(ctx, 1, onMetric[i]...)
			duration.Record(ctx, d.Duration.Seconds(), onEvery...)
			if span := trace.SpanFromContext(ctx); span.IsRecording() {
				span.SetAttributes(onSpan[i]...)
				if c.userID && d.Claims != nil && !d.Claims.IsService() {
					span.SetAttributes(attribute.String("user.id", d.Claims.Subject))
				}
			}
		},
		Fetched: func(ctx context.Context, f core.Fetch) {
			result := map[bool]string{true: "ok", false: "failed"}[f.Err == nil]
			with := c.with(attribute.String("cfaccess.fetch.reason", f.Reason), outcome.String(result))
			fetches.Add(ctx, 1, with)
			fetchDuration.Record(ctx, f.Duration.Seconds(), with)
		},
	}
}

// Observe reports v.Stats whenever metrics are collected: the age of the keys
// and the time until they are too old, once v has keys, and the size of the
// cache. The MeterProvider keeps v in memory until Unregister is called.
func Observe(v *core.Verifier, options ...Option) (metric.Registration, error) {
	c, meter := newConfig(options)
	age, err1 := meter.Float64ObservableGauge("cfaccess.keys.age", metric.WithUnit("s"), metric.WithDescription("Time since the keys were fetched."))
	remaining, err2 := meter.Float64ObservableGauge("cfaccess.keys.remaining", metric.WithUnit("s"), metric.WithDescription("Time until the keys are too old."))
	tokens, err3 := meter.Int64ObservableUpDownCounter("cfaccess.cache.tokens", metric.WithUnit("{token}"), metric.WithDescription("Cached tokens."))
	usage, err4 := meter.Int64ObservableUpDownCounter("cfaccess.cache.usage", metric.WithUnit("By"), metric.WithDescription("Memory of the cached tokens."))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	with := c.with()
	return meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		stats, now := v.Stats(), time.Now()
		if fetched := stats.KeysFetched; !fetched.IsZero() {
			// As in core: the monotonic clock stops while the machine is suspended.
			elapsed := max(now.Sub(fetched), now.Round(0).Sub(fetched.Round(0)))
			o.ObserveFloat64(age, elapsed.Seconds(), with)
			o.ObserveFloat64(remaining, (stats.KeysStale.Sub(fetched) - elapsed).Seconds(), with)
		}
		o.ObserveInt64(tokens, stats.Tokens, with)
		o.ObserveInt64(usage, stats.TokenBytes, with)
		return nil
	}, age, remaining, tokens, usage)
}

// The SDK's work grows with the attributes, so flags that are seldom true are absent where they are false.
const (
	outcome       = attribute.Key("cfaccess.outcome")    // "allowed", "anonymous" or a refusal's code; of a fetch "ok" or "failed"
	errorType     = attribute.Key("error.type")          // the class of a refusal's error
	spanErrorType = attribute.Key("cfaccess.error.type") // on a span, error.type is the HTTP instrumentation's
	cached        = attribute.Key("cfaccess.cached")     // whether the token was in the cache
	required      = attribute.Key("cfaccess.required")   // a decision of Require
	service       = attribute.Key("cfaccess.service")    // a service token's
)

// outcomes are the classes of errors and their names, after the two without an
// error. The last is for an error of no class, which core never returns.
var outcomes = [...]struct {
	class error
	name  string
}{
	{nil, "allowed"}, anonymous: {nil, "anonymous"}, {core.ErrNoToken, "no_token"}, {core.ErrExpired, "expired"},
	{core.ErrNotYetValid, "not_yet_valid"}, {core.ErrMalformed, "malformed"}, {core.ErrUnknownKey, "unknown_key"},
	{core.ErrSignature, "signature"}, {core.ErrIssuer, "issuer"}, {core.ErrAudience, "audience"},
	{core.ErrTokenType, "token_type"}, {core.ErrForbidden, "forbidden"}, {core.ErrKeysUnavailable, "keys_unavailable"},
	{core.ErrPolicyUnavailable, "policy_unavailable"}, {errors.New("no class"), "_OTHER"},
}

const anonymous = 1 // index of outcomes

// seriesOf returns the number of the time series that counts d: eight times the
// index of the outcome, and a bit for each of cached, required and service.
func seriesOf(d core.Decision) (i int) {
	if d.Err == nil && d.Claims == nil {
		i = anonymous
	}
	for d.Err != nil && i < len(outcomes)-1 && !errors.Is(d.Err, outcomes[i].class) {
		i++
	}
	i *= 8
	if d.Cached {
		i++
	}
	if d.Required {
		i += 2
	}
	if d.Claims != nil && d.Claims.IsService() {
		i += 4
	}
	return i
}

// attributesOf returns the attributes of the counter and of a span in series i.
// Require doesn't look a token up, so it leaves cached on a span as it is.
func attributesOf(i int) (onMetric, onSpan []attribute.KeyValue) {
	o, lookup := outcomes[i/8], cached.Bool(i&1 != 0)
	result := outcome.String(o.name)
	if o.class != nil {
		result = outcome.String(core.Refuse(o.class).Code)
		onMetric, onSpan = append(onMetric, errorType.String(o.name)), append(onSpan, spanErrorType.String(o.name))
	}
	onMetric, onSpan = append(onMetric, result, lookup), append(onSpan, result)
	if i&2 != 0 {
		onMetric = append(onMetric, required.Bool(true))
	} else {
		onSpan = append(onSpan, lookup)
	}
	if i&4 != 0 {
		onMetric = append(onMetric, service.Bool(true))
	}
	return onMetric, onSpan
}
