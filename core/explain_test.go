package core

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// wantExplained fails the test unless the first failed check of an Explanation is
// of the same class as Verify's error.
func wantExplained(t *testing.T, r *rig, token string, err error) {
	t.Helper()
	e := r.Explain(t.Context(), token)
	if len(e.Checks) == 0 {
		t.Fatal("an explanation without checks")
	}
	for _, check := range e.Checks {
		if check.Err != nil {
			wantOneClass(t, check.Err)
			for _, sentinel := range sentinels {
				if errors.Is(err, sentinel) != errors.Is(check.Err, sentinel) {
					t.Errorf("the first failed check is %s: %v, and Verify's error %v", check.Name, check.Err, err)
				}
			}
			return
		}
	}
	if err != nil {
		t.Errorf("no check fails, and Verify's error is %v", err)
	}
}

func TestExplainTriesEveryCheck(t *testing.T) {
	const all = "form alg kid signature claims iss aud type exp nbf iat"
	for name, test := range map[string]struct {
		token         func() string
		tried, failed string
	}{
		"a good token":    {func() string { return signUser() }, all, ""},
		"a service token": {func() string { return signService() }, all, ""},
		"an old token of the session, for another application": {
			func() string {
				return signUser(withClaim("aud", []string{otherAudience}), withClaim("type", "org"), withExpiry(time.Now().Add(-time.Hour)))
			}, all, "aud type exp",
		},
		"another team's": {
			func() string { return signUser(withClaim("iss", "https://other.cloudflareaccess.com")) }, all, "iss",
		},
		"another team's with its key": {
			func() string {
				return signUser(withHeader("kid", "x"), withClaim("iss", "https://other.cloudflareaccess.com"))
			}, all, "kid signature iss",
		},
		"dates ahead":       {func() string { return signUser(withClaim("nbf", 4102444800), withClaim("iat", 4102444800)) }, all, "nbf iat"},
		"forged":            {func() string { return signUser(forged) }, all, "signature"},
		"alg none":          {func() string { return signUser(accesstest.Unsigned()) }, all, "alg signature"},
		"alg none, expired": {func() string { return signUser(accesstest.Unsigned(), withExpiry(time.Now().Add(-time.Hour))) }, all, "alg signature exp"},
		"no kid":            {func() string { return signUser(withoutHeader("kid")) }, "form alg signature claims iss aud type exp nbf iat", "form signature"},
		"crit":              {func() string { return signUser(withHeader("crit", []string{"exp"})) }, all, "form signature"},
		"a line break":      {func() string { return signUser() + "\n" }, all, "form signature"},
		"without signature": {func() string { token := signUser(); return token[:strings.LastIndexByte(token, '.')] }, "form", "form"},
		"claims not JSON":   {func() string { return encodeSegment([]byte(`{"alg":"RS256","kid":"k"}`)) + ".e30x.AAAA" }, "form", "form"},
		"a claim of the wrong type": {
			func() string { return signUser(withClaim("exp", "soon")) }, "form alg kid signature claims", "claims",
		},
		"no token":  {func() string { return "" }, "form", "form"},
		"too large": {func() string { return signUser(withClaim("custom", strings.Repeat("x", maxToken))) }, "form", "form"},
		"a header that is too large": {
			func() string { return signUser(withHeader("x", strings.Repeat("x", maxHeader))) }, "form", "form",
		},
	} {
		bubble(t, name, func(t *testing.T, r *rig) {
			token := test.token()
			var tried, failed []string
			for _, check := range r.Explain(t.Context(), token).Checks {
				tried = append(tried, check.Name)
				if check.Err != nil {
					failed = append(failed, check.Name)
				}
			}
			if got := strings.Join(tried, " "); got != test.tried {
				t.Errorf("tried %s, want %s", got, test.tried)
			}
			if got := strings.Join(failed, " "); got != test.failed {
				t.Errorf("%s failed, want %s", got, test.failed)
			}
			_, err := r.Verify(t.Context(), token)
			wantExplained(t, r, token, err)
		})
	}
}

func TestExplainShowsBothSides(t *testing.T) {
	bubble(t, "", func(t *testing.T, r *rig) {
		want := map[string][2]string{
			"iss":  {testIssuer, testIssuer},
			"aud":  {otherAudience, testAudience},
			"type": {"app", "app"},
			"exp":  {"2000-01-02T00:00:00Z", "must be later than 30s ago"},
			"nbf":  {"2000-01-01T00:00:00Z", "must be at most 30s ahead"},
			"iat":  {"", "must be at most 30s ahead"},
		}
		for _, check := range r.Explain(t.Context(), signUser(withClaim("aud", otherAudience), withoutClaim("iat"))).Checks {
			if sides, ok := want[check.Name]; ok && sides != [2]string{check.Got, check.Want} {
				t.Errorf("%s is %q, want %q: not %q", check.Name, check.Got, check.Want, sides)
			}
		}
	})
}

// Without keys, a token is neither good nor bad.
func TestExplainWithoutKeys(t *testing.T) {
	bubble(t, "", func(t *testing.T, r *rig) {
		r.endpoint.fail(500)
		token := signUser()
		_, err := r.Verify(t.Context(), token)
		wantClass(t, err, ErrKeysUnavailable)
		wantExplained(t, r, token, err)
	})
}

func TestExplainIsNoDecision(t *testing.T) {
	r := newRig(t)
	r.Explain(t.Context(), signUser())
	r.Explain(t.Context(), signUser(forged))
	if decisions := r.decided(); len(decisions) > 0 {
		t.Errorf("reported %v", decisions)
	}
	if tokens := r.Stats().Tokens; tokens > 0 {
		t.Errorf("%d tokens entered the cache", tokens)
	}
}
