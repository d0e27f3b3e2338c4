package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// What a refused client gets, row by row of the design, to the byte.
func TestRefuse(t *testing.T) {
	const notValidHere = "The Access token is not valid here."
	tests := map[string]struct {
		err          error
		status       int
		code, detail string
	}{
		"ErrNoToken":           {ErrNoToken, 401, "token_missing", "This needs a sign-in through Cloudflare Access."},
		"ErrMalformed":         {ErrMalformed, 401, "token_invalid", notValidHere},
		"ErrUnknownKey":        {ErrUnknownKey, 401, "token_invalid", notValidHere},
		"ErrSignature":         {ErrSignature, 401, "token_invalid", notValidHere},
		"ErrIssuer":            {ErrIssuer, 401, "token_invalid", notValidHere},
		"ErrAudience":          {ErrAudience, 401, "token_invalid", notValidHere},
		"ErrTokenType":         {ErrTokenType, 401, "token_invalid", notValidHere},
		"ErrExpired":           {ErrExpired, 401, "token_expired", "The Access token has expired."},
		"ErrNotYetValid":       {ErrNotYetValid, 401, "token_not_yet_valid", "The Access token is not valid yet."},
		"ErrForbidden":         {ErrForbidden, 403, "forbidden", "You are signed in, but not allowed to do this."},
		"ErrKeysUnavailable":   {ErrKeysUnavailable, 503, "keys_unavailable", "The Access token can't be checked at the moment."},
		"ErrPolicyUnavailable": {ErrPolicyUnavailable, 503, "policy_unavailable", "Your permission can't be checked at the moment."},
		"another's error":      {errTest, 500, "internal_error", "The request could not be handled."},
		"no error at all":      {nil, 500, "internal_error", "The request could not be handled."},
	}
	for name := range sentinels {
		if _, ok := tests[name]; !ok {
			t.Errorf("%s has no row", name)
		}
	}
	for name, test := range tests {
		err := test.err
		if err != nil {
			err = fmt.Errorf("%w: a secret detail: %w", err, io.EOF)
		}
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			t.Run(name+" "+method, func(t *testing.T) {
				refusal := Refuse(err)
				w := httptest.NewRecorder()
				refusal.ServeHTTP(w, httptest.NewRequest(method, "/", nil))
				challenge, retryAfter := "", ""
				switch test.status {
				case 401:
					challenge = `Bearer realm="Cloudflare Access"`
					if test.code != "token_missing" {
						challenge += `, error="invalid_token", error_description="` + test.detail + `"`
					}
				case 503:
					retryAfter = "5"
				}
				for header, want := range map[string]string{
					"Content-Type": "application/problem+json", "Cache-Control": "no-store", "Www-Authenticate": challenge, "Retry-After": retryAfter,
				} {
					if got := w.Header().Get(header); got != want {
						t.Errorf("%s: got %q, want %q", header, got, want)
					}
				}
				want := fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d,"detail":%q,"code":%q}`,
					http.StatusText(test.status), test.status, test.detail, test.code)
				if marshalled, err := json.Marshal(refusal); string(marshalled) != want || err != nil {
					t.Errorf("marshalled: got %s, %v, want %s", marshalled, err, want)
				}
				if want += "\n"; method == http.MethodHead {
					want = ""
				}
				if got := w.Body.String(); w.Code != test.status || got != want {
					t.Errorf("got  %d %s\nwant %d %s", w.Code, got, test.status, want)
				}
				// As an error it is fit for the client, and its cause for the operator.
				if refusal.Error() != test.detail || refusal.Unwrap() != err || err != nil && !errors.Is(refusal, io.EOF) {
					t.Errorf("as an error: %q, %v", refusal, refusal.Unwrap())
				}
				if again := Refuse(refusal); again.Status != test.status || again.Code != test.code {
					t.Errorf("refused again: %+v", again)
				}
			})
		}
	}
}

// An error of a verifier names its issuer as the realm, and no expectation.
func TestRefuseChallenge(t *testing.T) {
	r := newRig(t)
	const realm = `Bearer realm="https://acme.cloudflareaccess.com"`
	const invalid = realm + `, error="invalid_token", error_description="The Access token is not valid here."`
	for name, test := range map[string]struct{ token, want string }{
		"no token":         {"", realm},
		"malformed":        {"x", invalid},
		"another audience": {team.SignUser(otherAudience, "ada@example.com"), invalid},
		"another issuer":   {signUser(withClaim("iss", "https://evil.example")), invalid},
		"unknown kid":      {madeUp(0), invalid},
		"another type":     {signUser(withClaim("type", "org")), invalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.Authenticate(t.Context(), inHeader(test.token))
			got := Refuse(err)
			if got.Challenge != test.want {
				t.Errorf("got  %s\nwant %s", got.Challenge, test.want)
			}
			if name != "no token" && string(got.Body()) != string(Refuse(ErrMalformed).Body()) {
				t.Errorf("the client can tell: %s", got.Body())
			}
		})
	}
}

// Retry-After says when the next fetch is due, in whole seconds rounded up.
func TestRefuseRetryAfter(t *testing.T) {
	r := newRig(t)
	r.endpoint.fail(http.StatusInternalServerError)
	_, err := r.Verify(t.Context(), signUser())
	refusal := Refuse(err)
	// The first backoff is between one and two seconds.
	if refusal.RetryAfter < time.Second || refusal.RetryAfter > 2*time.Second {
		t.Errorf("retry after %v", refusal.RetryAfter)
	}
	for after, want := range map[time.Duration]string{0: "", 1: "1", time.Second: "1", time.Second + 1: "2", time.Minute: "60"} {
		refusal.RetryAfter = after
		if got := refusal.Header().Get("Retry-After"); got != want {
			t.Errorf("%v is sent as %q, want %q", after, got, want)
		}
	}
}
