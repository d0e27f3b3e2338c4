package core_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// rememberedBy makes the verifier report, for the last token verified, whether
// it was remembered.
func rememberedBy(last *bool) func(*core.Config) {
	return func(c *core.Config) {
		c.Hooks.Decided = func(_ context.Context, e core.Decision) { *last = e.Cached }
	}
}

func TestRememberedTokenIsCheckedAgainstTheClock(t *testing.T) {
	team := newTeam(t)
	tests := map[string]struct {
		lifetime time.Duration
		wait     time.Duration
		want     error
	}{
		"1 ns before exp + leeway": {time.Minute, 90*time.Second - 1, nil},
		"at exp + leeway":          {time.Minute, 90 * time.Second, core.ErrExpired},
		"long after":               {time.Minute, 24 * time.Hour, core.ErrExpired},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var remembered bool
				v := newVerifier(t, team, rememberedBy(&remembered))
				token := team.SignUser(testAudience, "ada@example.com", accesstest.WithExpiry(time.Now().Add(test.lifetime)))
				if _, err := v.Verify(t.Context(), token); err != nil || remembered {
					t.Fatalf("first visit: %v, remembered %v", err, remembered)
				}
				time.Sleep(test.wait)
				_, err := v.Verify(t.Context(), token)
				wantClass(t, err, test.want)
				if !remembered {
					t.Error("the token was not remembered")
				}
				if test.want != nil {
					// Forgotten, it meets golang-jwt's check, which agrees.
					_, err = v.Verify(t.Context(), token)
					wantClass(t, err, test.want)
					if remembered {
						t.Error("a token that won't be good again was not forgotten")
					}
				}
			})
		})
	}
}

func TestRememberedTokenOfAWithdrawnKeyIsRefused(t *testing.T) {
	team := newTeam(t)
	var remembered bool
	v := newVerifier(t, team, rememberedBy(&remembered))
	token := team.SignUser(testAudience, "ada@example.com")
	for range 2 {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if !remembered {
		t.Fatal("the token was not remembered")
	}
	team.Rotate()
	if err := v.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token); err != nil || !remembered {
		t.Fatalf("with the previous key: %v, remembered %v", err, remembered)
	}
	team.Withdraw()
	if err := v.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := v.Verify(t.Context(), token)
	wantClass(t, err, core.ErrUnknownKey)
}

func TestOnlyVerifiedTokensAreRemembered(t *testing.T) {
	team := newTeam(t)
	sign := func(options ...accesstest.Option) string {
		return team.SignUser(testAudience, "eve@example.com", options...)
	}
	for name, test := range map[string]struct {
		token string
		want  error
	}{
		"forged":                  {sign(accesstest.SignedByStranger()), core.ErrSignature},
		"of another key":          {sign(accesstest.WithHeader("kid", "made up")), core.ErrUnknownKey},
		"of another issuer":       {sign(accesstest.WithClaim("iss", "https://evil.cloudflareaccess.com")), core.ErrIssuer},
		"for another application": {team.SignUser(otherAudience, "eve@example.com"), core.ErrAudience},
		"a session of the team":   {sign(accesstest.WithClaim("type", "org")), core.ErrTokenType},
		"expired":                 {sign(accesstest.WithExpiry(time.Now().Add(-time.Hour))), core.ErrExpired},
		"not yet valid":           {sign(accesstest.WithClaim("nbf", time.Now().Add(time.Hour).Unix())), core.ErrNotYetValid},
		"malformed":               {sign() + "*", core.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			var remembered bool
			v := newVerifier(t, team, rememberedBy(&remembered))
			for range 2 {
				_, err := v.Verify(t.Context(), test.token)
				wantClass(t, err, test.want)
				if remembered {
					t.Error("a refused token was remembered")
				}
			}
		})
	}
}

func TestVerifiersDoNotShareTheirMemory(t *testing.T) {
	team := newTeam(t)
	token := team.SignUser(testAudience, "ada@example.com")
	if _, err := newVerifier(t, team).Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	other := newVerifier(t, team, func(c *core.Config) { c.Audiences = []string{otherAudience} })
	_, err := other.Verify(t.Context(), token)
	wantClass(t, err, core.ErrAudience)
}

func TestTokenCacheBytesBoundsTheMemory(t *testing.T) {
	team := newTeam(t)
	const size, sessions = 16, 400
	var remembered bool
	v := newVerifier(t, team, rememberedBy(&remembered), func(c *core.Config) { c.TokenCacheBytes = size })
	tokens := make([]string, sessions)
	for i := range tokens {
		tokens[i] = team.SignUser(testAudience, fmt.Sprintf("user%d@example.com", i))
		if _, err := v.Verify(t.Context(), tokens[i]); err != nil {
			t.Fatal(err)
		}
	}
	hits := 0
	for _, token := range tokens {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if remembered {
			hits++
		}
	}
	// The second pass remembers tokens too, so a few more may hit than fit at
	// one moment; unbounded, all would.
	if hits > 2*size {
		t.Errorf("%d of %d tokens were remembered, with room for %d", hits, sessions, size)
	}
}

func TestTokenCacheBytesNegativeRemembersNothing(t *testing.T) {
	team := newTeam(t)
	var remembered bool
	v := newVerifier(t, team, rememberedBy(&remembered), func(c *core.Config) { c.TokenCacheBytes = -1 })
	token := team.SignUser(testAudience, "ada@example.com")
	for range 3 {
		if _, err := v.Verify(t.Context(), token); err != nil || remembered {
			t.Fatalf("%v, remembered %v", err, remembered)
		}
	}
}
