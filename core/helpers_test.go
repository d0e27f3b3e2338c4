package core

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

const (
	testIssuer    = "https://acme.cloudflareaccess.com"
	testAudience  = "32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228"
	otherAudience = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
)

// team signs for all tests, since an RSA key takes long to generate. It listens
// nowhere, and no test changes it: the endpoint of each test says which of its
// two keys are published.
var team = func() *accesstest.Team {
	team := accesstest.NewTeam("acme")
	team.Close()
	return team
}()

// jsonKey is a JSON Web Key.
type jsonKey = map[string]any

// The keys of team. The previous one is also the key before a rotation, and the
// current one the key after it.
var previousKey, currentKey = func() (previous, current jsonKey) {
	var document struct{ Keys []jsonKey }
	if err := json.Unmarshal(team.Certs(), &document); err != nil {
		panic(err)
	}
	return document.Keys[0], document.Keys[1]
}()

// Shorthands for tables.
var (
	withClaim, withoutClaim   = accesstest.WithClaim, accesstest.WithoutClaim
	withHeader, withoutHeader = accesstest.WithHeader, accesstest.WithoutHeader
	withExpiry                = accesstest.WithExpiry
	forged, byPreviousKey     = accesstest.SignedByStranger(), accesstest.SignedByPreviousKey()
	errTest                   = errors.New("an error of the test's")
)

type object = map[string]any

// signUser returns the token of a person, ada@example.com.
func signUser(options ...accesstest.Option) string {
	return team.SignUser(testAudience, "ada@example.com", options...)
}

// signService returns the token of a service token, ci-bot.
func signService(options ...accesstest.Option) string {
	return team.SignService(testAudience, "ci-bot", options...)
}

// rawKey signs bytes that accesstest doesn't: names that come twice, for one.
var rawKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

const rawHeader = `{"alg":"RS256","kid":"k","typ":"JWT"}`

// rawJSONKey is the public half of rawKey, of key id "k".
func rawJSONKey() jsonKey {
	return jsonKey{"kid": "k", "kty": "RSA", "e": "AQAB", "n": encodeSegment(rawKey().N.Bytes())}
}

// signRaw returns a token with this header and this payload.
func signRaw(header, payload string) string {
	signed := encodeSegment([]byte(header)) + "." + encodeSegment([]byte(payload))
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, rawKey(), crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return signed + "." + encodeSegment(signature)
}

func encodeSegment(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// madeUp returns a token that names a key id which nobody publishes.
func madeUp(i int) string {
	return encodeSegment(fmt.Appendf(nil, `{"alg":"RS256","kid":"made-up-%d"}`, i)) + ".e30.AAAA"
}

// same returns the same token for every i.
func same(token string) func(int) string { return func(int) string { return token } }

// inHeader returns headers with these values of TokenHeader.
func inHeader(tokens ...string) http.Header { return http.Header{TokenHeader: tokens} }

// inCookies returns headers with these values of TokenCookie.
func inCookies(tokens ...string) http.Header {
	return http.Header{"Cookie": {TokenCookie + "=" + strings.Join(tokens, "; "+TokenCookie+"=")}}
}

// transport is a function as an http.RoundTripper.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// forever is a delay that outlasts every timeout.
const forever = 1000 * time.Hour

// tooMany requests at one moment are a loop without a pause. In a bubble, where
// an answer takes no time, it would not end: the endpoint stops answering.
const tooMany = 1000

// An endpoint answers certs requests without a socket, since the clock of a
// bubble stands still while a goroutine waits for one.
type endpoint struct {
	mu             sync.Mutex // guards the fields below
	body           []byte     // nil: answer with status alone
	status         int
	delay          time.Duration
	ignoresContext bool      // goes on when nobody waits any more
	instead        transport // unless it is nil, answers

	asked         []time.Time
	last          *http.Request
	waiting, most int // requests without an answer, now and at most
}

func (e *endpoint) set(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

// publish answers requests with a document of these keys.
func (e *endpoint) publish(keys ...jsonKey) {
	e.set(func() { e.body = certsDocument(keys) })
}

func certsDocument[T any](keys []T) []byte {
	document, err := json.Marshal(object{"keys": keys})
	if err != nil {
		panic(err)
	}
	return document
}

// fail answers requests with this status.
func (e *endpoint) fail(status int) {
	e.set(func() { e.body, e.status = nil, status })
}

// slow delays answers. An answer is the one in force when its request came.
func (e *endpoint) slow(delay time.Duration) {
	e.set(func() { e.delay = delay })
}

// hang leaves requests without an answer.
func (e *endpoint) hang() { e.slow(forever) }

// requests returns when each request so far came.
func (e *endpoint) requests() []time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.asked)
}

// RoundTrip implements http.RoundTripper.
func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	if e.instead != nil {
		defer e.mu.Unlock()
		return e.instead(r)
	}
	now := time.Now()
	e.asked, e.last = append(e.asked, now), r
	e.waiting++
	e.most = max(e.most, e.waiting)
	status, body, delay, done := e.status, e.body, e.delay, r.Context().Done()
	if e.ignoresContext {
		done = nil
	}
	if n := len(e.asked) - tooMany; n > 0 && e.asked[n-1].Equal(now) {
		delay = forever
	}
	e.mu.Unlock()
	defer e.set(func() { e.waiting-- })

	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-done:
			return nil, r.Context().Err()
		}
	}
	if body != nil {
		status = http.StatusOK
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

// A rig is a verifier for testAudience, the endpoint of its keys, and what it
// reports.
type rig struct {
	*Verifier
	endpoint *endpoint

	mu        sync.Mutex // guards the fields below
	log       bytes.Buffer
	decisions []Decision
	fetched   []Fetch
}

// newRig returns a rig whose endpoint publishes both keys of team.
func newRig(t testing.TB, changes ...func(*Config)) *rig {
	t.Helper()
	r := &rig{endpoint: &endpoint{}}
	r.endpoint.publish(previousKey, currentKey)
	cfg := Config{
		Team:       "acme",
		Audiences:  []string{testAudience},
		HTTPClient: &http.Client{Transport: r.endpoint},
		Logger:     slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Hooks: Hooks{
			Decided: func(_ context.Context, d Decision) { r.set(func() { r.decisions = append(r.decisions, d) }) },
			Fetched: func(_ context.Context, e Fetch) { r.set(func() { r.fetched = append(r.fetched, e) }) },
		},
	}
	for _, change := range changes {
		change(&cfg)
	}
	var err error
	if r.Verifier, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

// quiet neither logs nor reports, and never fetches in vain.
func quiet(c *Config) { c.Logger, c.Hooks = slog.New(slog.DiscardHandler), Hooks{} }

// noCache caches no token.
func noCache(c *Config) { c.TokenCacheBytes = -1 }

func (r *rig) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// Write adds to the log.
func (r *rig) Write(p []byte) (n int, err error) {
	r.set(func() { n, err = r.log.Write(p) })
	return n, err
}

// logged returns the log since the last call.
func (r *rig) logged() (text string) {
	r.set(func() { text = r.log.String(); r.log.Reset() })
	return text
}

// decided returns the decisions since the last call.
func (r *rig) decided() (all []Decision) {
	r.set(func() { all, r.decisions = r.decisions, nil })
	return all
}

// cached reports whether the last decision's token came from the cache.
func (r *rig) cached() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.decisions[len(r.decisions)-1].Cached
}

// refresh fetches the keys.
func (r *rig) refresh(t testing.TB) {
	t.Helper()
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// bubble runs a subtest with a rig in a synctest bubble. The clock begins at a
// whole second and moves only while every goroutine waits.
func bubble(t *testing.T, name string, test func(t *testing.T, r *rig), changes ...func(*Config)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			// The clock stops with the test, which fails if a fetch is under
			// way: its goroutine would be left.
			defer time.Sleep(2 * time.Minute)
			r := newRig(t, changes...)
			test(t, r)
			r.endpoint.mu.Lock()
			defer r.endpoint.mu.Unlock()
			if r.endpoint.most > 1 {
				t.Errorf("%d fetches at once", r.endpoint.most)
			}
		})
	})
}

// sentinels are all classes of error.
var sentinels = map[string]error{
	"ErrNoToken": ErrNoToken, "ErrMalformed": ErrMalformed, "ErrUnknownKey": ErrUnknownKey, "ErrSignature": ErrSignature,
	"ErrExpired": ErrExpired, "ErrNotYetValid": ErrNotYetValid, "ErrIssuer": ErrIssuer, "ErrAudience": ErrAudience,
	"ErrTokenType": ErrTokenType, "ErrForbidden": ErrForbidden, "ErrKeysUnavailable": ErrKeysUnavailable,
	"ErrPolicyUnavailable": ErrPolicyUnavailable,
}

// wantClass fails the test unless err matches want and no other sentinel. A nil
// want stands for no error.
func wantClass(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
	for name, sentinel := range sentinels {
		if sentinel != want && errors.Is(err, sentinel) {
			t.Errorf("error %q matches %s besides %v", err, name, want)
		}
	}
}

// wantText fails the test unless err says each of these.
func wantText(t testing.TB, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want one that says %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q doesn't say %q", err, text)
		}
	}
}

func wantPanic(t *testing.T, name string, call func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if recover() == nil {
			t.Errorf("%s: no panic", name)
		}
	}()
	call()
}

// verified returns the claims of a good token.
func verified(t testing.TB, r *rig, token string) *Claims {
	t.Helper()
	claims, err := r.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}
