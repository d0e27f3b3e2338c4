package core_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// What a refused client gets, row by row of the design, to the byte.
func TestRefuse(t *testing.T) {
	const noToken = `Bearer realm="Cloudflare Access"`
	badToken := func(detail string) string {
		return noToken + `, error="invalid_token", error_description="` + detail + `"`
	}
	const notValidHere = "The Access token is not valid here."
	tests := map[string]struct {
		err       error
		status    int
		code      string
		detail    string
		challenge string
	}{
		"ErrNoToken":         {core.ErrNoToken, 401, "token_missing", "This needs a sign-in through Cloudflare Access.", noToken},
		"ErrMalformed":       {core.ErrMalformed, 401, "token_invalid", notValidHere, badToken(notValidHere)},
		"ErrUnknownKey":      {core.ErrUnknownKey, 401, "token_invalid", notValidHere, badToken(notValidHere)},
		"ErrSignature":       {core.ErrSignature, 401, "token_invalid", notValidHere, badToken(notValidHere)},
		"ErrIssuer":          {core.ErrIssuer, 401, "token_invalid", notValidHere, badToken(notValidHere)},
		"ErrAudience":        {core.ErrAudience, 401, "token_invalid", notValidHere, badToken(notValidHere)},
		"ErrTokenType":       {core.ErrTokenType, 401, "token_invalid", notValidHere, badToken(notValidHere)},
		"ErrExpired":         {core.ErrExpired, 401, "token_expired", "The Access token has expired.", badToken("The Access token has expired.")},
		"ErrNotYetValid":     {core.ErrNotYetValid, 401, "token_not_yet_valid", "The Access token is not valid yet.", badToken("The Access token is not valid yet.")},
		"ErrForbidden":       {core.ErrForbidden, 403, "forbidden", "You are signed in, but not allowed to do this.", ""},
		"ErrKeysUnavailable": {core.ErrKeysUnavailable, 503, "keys_unavailable", "The Access token can't be checked at the moment.", ""},
		"another's error":    {errors.New("disk on fire"), 500, "internal_error", "The request could not be handled.", ""},
		"no error at all":    {nil, 500, "internal_error", "The request could not be handled.", ""},
	}
	for name := range sentinels {
		if _, ok := tests[name]; !ok {
			t.Errorf("%s has no row", name)
		}
	}
	for name, test := range tests {
		err := test.err
		if err != nil {
			err = fmt.Errorf("%w: a secret detail: %w", err, errors.New("the cause"))
		}
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			t.Run(name+" "+method, func(t *testing.T) {
				w := httptest.NewRecorder()
				core.Refuse(err).ServeHTTP(w, httptest.NewRequest(method, "/", nil))

				if w.Code != test.status {
					t.Errorf("status %d, want %d", w.Code, test.status)
				}
				retryAfter := ""
				if test.status == http.StatusServiceUnavailable {
					retryAfter = "5"
				}
				for header, want := range map[string]string{
					"Content-Type":     "application/problem+json",
					"Cache-Control":    "no-store",
					"Www-Authenticate": test.challenge,
					"Retry-After":      retryAfter,
				} {
					if got := w.Header().Get(header); got != want {
						t.Errorf("%s: got %q, want %q", header, got, want)
					}
				}
				want := fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d,"detail":%q,"code":%q}`+"\n",
					http.StatusText(test.status), test.status, test.detail, test.code)
				if method == http.MethodHead {
					want = ""
				}
				if got := w.Body.String(); got != want {
					t.Errorf("body:\ngot  %s\nwant %s", got, want)
				}
			})
		}
	}
}

// An error of a verifier's names its issuer as the realm.
func TestRefuseRealm(t *testing.T) {
	team := newTeam(t)
	v := newVerifier(t, team)
	const realm = `Bearer realm="https://acme.cloudflareaccess.com"`

	_, err := v.Authenticate(t.Context(), http.Header{})
	if got := core.Refuse(err).Challenge; got != realm {
		t.Errorf("no token: got %s, want %s", got, realm)
	}
	_, err = v.Verify(t.Context(), "x")
	if got, want := core.Refuse(err).Challenge, realm+`, error="invalid_token", error_description="The Access token is not valid here."`; got != want {
		t.Errorf("bad token: got %s, want %s", got, want)
	}
	_, err = core.Require(context.Background(), nil)
	if got, want := core.Refuse(err).Challenge, `Bearer realm="Cloudflare Access"`; got != want {
		t.Errorf("no verifier: got %s, want %s", got, want)
	}
}

// Retry-After says when the next fetch is due, in whole seconds rounded up.
func TestRefuseRetryAfter(t *testing.T) {
	team := newTeam(t)
	team.Fail(http.StatusInternalServerError)
	v := newVerifier(t, team)
	_, err := v.Verify(t.Context(), team.SignUser(testAudience, "ada@example.com"))
	wantClass(t, err, core.ErrKeysUnavailable)
	r := core.Refuse(err)
	// The first backoff is between one and two seconds.
	if r.RetryAfter < time.Second || r.RetryAfter > 2*time.Second {
		t.Errorf("retry after %v", r.RetryAfter)
	}
	for after, want := range map[time.Duration]string{1: "1", time.Second: "1", time.Second + 1: "2", time.Minute: "60"} {
		r.RetryAfter = after
		if got := r.Header().Get("Retry-After"); got != want {
			t.Errorf("%v is sent as %q, want %q", after, got, want)
		}
	}
}

// No body names an audience, an issuer, a kid or a claim.
func TestRefuseLeaksNothing(t *testing.T) {
	team := newTeam(t)
	v := newVerifier(t, team)
	for _, token := range []string{
		team.SignUser(otherAudience, "ada@example.com"),
		team.SignUser(testAudience, "ada@example.com", accesstest.WithClaim("iss", "https://evil.example")),
		team.SignUser(testAudience, "ada@example.com", accesstest.WithHeader("kid", "made-up")),
		team.SignUser(testAudience, "ada@example.com", accesstest.WithClaim("type", "org")),
	} {
		_, err := v.Verify(t.Context(), token)
		plain := core.Refuse(core.ErrMalformed)
		if got := string(core.Refuse(err).Body()); got != string(plain.Body()) {
			t.Errorf("%v: the client can tell: %s", err, got)
		}
	}
}
