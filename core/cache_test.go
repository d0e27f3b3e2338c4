package core

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Each hit is checked against the clock.
func TestCacheChecksDates(t *testing.T) {
	for name, test := range map[string]struct {
		wait time.Duration
		want error
	}{
		"1 ns before exp + leeway": {90*time.Second - 1, nil},
		"at exp + leeway":          {90 * time.Second, ErrExpired},
		"long after":               {24 * time.Hour, ErrExpired},
	} {
		bubble(t, name, func(t *testing.T, r *rig) {
			token := signUser(withExpiry(time.Now().Add(time.Minute)))
			verified(t, r, token)
			if r.cached() {
				t.Fatal("cached at first")
			}
			time.Sleep(test.wait)
			_, err := r.Verify(t.Context(), token)
			wantClass(t, err, test.want)
			if !r.cached() {
				t.Error("the token wasn't cached")
			}
			if test.want != nil {
				// golang-jwt's check agrees with the cache's.
				_, err = r.Verify(t.Context(), token)
				wantClass(t, err, test.want)
				if r.cached() {
					t.Error("a token that will not be good again is still cached")
				}
			}
		})
	}
	// The clock was ahead when the token was verified, and is set back.
	for _, claim := range []string{"nbf", "iat"} {
		t.Run(claim+" is ahead of a clock that was set back", func(t *testing.T) {
			r := newRig(t)
			now := time.Now()
			token := signUser(withClaim(claim, now.Unix()))
			verified(t, r, token)
			entry := r.Verifier.cache.get(token)
			for back, want := range map[time.Duration]error{29 * time.Second: nil, 32 * time.Second: ErrNotYetValid} {
				_, err := r.verifyCached(t.Context(), entry, now, now.Add(-back))
				wantClass(t, err, want)
			}
		})
	}
}

func TestCacheHoldsOnlyVerifiedTokens(t *testing.T) {
	for name, test := range map[string]struct {
		token string
		want  error
	}{
		"forged":                  {signUser(forged), ErrSignature},
		"of another key":          {signUser(withHeader("kid", "made up")), ErrUnknownKey},
		"of another issuer":       {signUser(withClaim("iss", "https://evil.cloudflareaccess.com")), ErrIssuer},
		"for another application": {team.SignUser(otherAudience, "eve@example.com"), ErrAudience},
		"a session of the team":   {signUser(withClaim("type", "org")), ErrTokenType},
		"expired":                 {signUser(withExpiry(time.Now().Add(-time.Hour))), ErrExpired},
		"not yet valid":           {signUser(withClaim("nbf", time.Now().Add(time.Hour).Unix())), ErrNotYetValid},
		"malformed":               {signUser() + "*", ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			for range 2 {
				_, err := r.Verify(t.Context(), test.token)
				wantClass(t, err, test.want)
				if r.cached() || r.Stats().Tokens != 0 {
					t.Error("a refused token was cached")
				}
			}
		})
	}
	// A key that was withdrawn, or replaced, while a token of it was verified.
	t.Run("of a key that isn't published any more", func(t *testing.T) {
		r := newRig(t)
		claims := verified(t, r, signUser())
		set := r.keys.state.Load().set
		other := set.keys[previousKey["kid"].(string)]
		for name, by := range map[string]*lookup{"withdrawn": {keyID: "gone", jwk: other}, "replaced": {keyID: team.KeyID(), jwk: other}} {
			token := name + strings.Repeat(".", 40)
			c := &Claims{RegisteredClaims: claims.RegisteredClaims, token: &token}
			if r.Verifier.cache.put(c, by, set, 0); r.Verifier.cache.get(token) != nil {
				t.Errorf("%s: cached", name)
			}
		}
	})
}

// Tokens are told apart by all of their bytes, whatever the cache hashes.
func TestCacheComparesWholeTokens(t *testing.T) {
	r := newRig(t)
	token := signUser()
	verified(t, r, token)
	other := signUser(withClaim("email", "eve@example.com"))
	_, err := r.Verify(t.Context(), other[:len(other)-100]+token[len(token)-100:])
	wantClass(t, err, ErrSignature)
}

func TestCachesAreNotShared(t *testing.T) {
	token := signUser()
	verified(t, newRig(t), token)
	_, err := newRig(t, func(c *Config) { c.Audiences = []string{otherAudience} }).Verify(t.Context(), token)
	wantClass(t, err, ErrAudience)
}

func TestTokenCacheBytes(t *testing.T) {
	const sessions = 200
	for name, test := range map[string]struct {
		bytes       int
		least, most int // hits of the second round
	}{
		"none":    {-1, 0, 0},
		"too few": {leastTokenCacheBytes, 0, 100}, // some enter in the second round
		"enough":  {1 << 20, sessions, sessions},
		"16 MiB":  {0, sessions, sessions},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.TokenCacheBytes = test.bytes })
			hits := 0
			for range 2 {
				for _, token := range manyTokens() {
					verified(t, r, token)
					if r.cached() {
						hits++
					}
				}
			}
			if hits < test.least || hits > test.most {
				t.Errorf("%d hits, want from %d to %d", hits, test.least, test.most)
			}
			if size := r.Stats().TokenBytes; test.bytes > 0 && size > int64(test.bytes) {
				t.Errorf("the tokens weigh %d bytes", size)
			}
		})
	}
}

// manyTokens returns 200 tokens.
var manyTokens = func() func() []string {
	var tokens []string
	return func() []string {
		for i := len(tokens); i < 200; i++ {
			tokens = append(tokens, team.SignUser(testAudience, fmt.Sprintf("user%d@example.com", i)))
		}
		return tokens
	}
}()

// The heap grows by twice TokenCacheBytes at most, whatever is in the tokens.
func TestCacheMemory(t *testing.T) {
	const setting = 4 << 20
	list := func(n int, element string) string { return "[" + strings.Repeat(element+",", n-1) + element + "]" }
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"k%d":1`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	custom := func(value string) string {
		return signUser(withClaim("custom", json.RawMessage(`{"a":`+value+`}`)))
	}
	for name, token := range map[string]string{
		"ordinary":           custom(`["admins","developers"]`),
		"service token":      signService(),
		"nested objects":     custom(list(350, `{"a":{"b":{}}}`)),
		"empty objects":      custom(list(1700, `{}`)),
		"empty arrays":       custom(list(1700, `[]`)),
		"deep arrays":        custom(strings.Repeat("[", 2500) + strings.Repeat("]", 2500)),
		"numbers":            custom(list(2700, `1`)),
		"short strings":      custom(list(1300, `"x"`)),
		"empty strings":      custom(list(1800, `""`)),
		"booleans and nulls": custom(list(500, `true,null`)),
		"a long string":      custom(`"` + strings.Repeat("x", 5000) + `"`),
		"many keys":          custom(members(600)),
		"eight keys each":    custom(list(90, members(8))),
		"nine keys each":     custom(list(80, members(9))),
		"many audiences":     signUser(withClaim("aud", append(strings.Split(strings.Repeat("x", 1200), ""), testAudience))),
		"a long email":       signUser(withClaim("email", strings.Repeat("x", 5000))),
		"an unknown claim":   signUser(withClaim("x", strings.Repeat("x", 5000))),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, quiet, func(c *Config) { c.TokenCacheBytes = setting })
			var payload json.RawMessage
			if err := verified(t, r, token).Decode(&payload); err != nil {
				t.Fatal(err)
			}
			set := r.keys.state.Load().set
			by := &lookup{keyID: team.KeyID(), jwk: set.keys[team.KeyID()]}
			before := heap()
			// Until the cache has dropped half as much as it holds. To sign that
			// many would take long.
			for i, put := 0, int64(0); put < setting*3/2; i++ {
				claims, _, err := decodeClaims(payload)
				if err != nil {
					t.Fatal(err)
				}
				text := fmt.Sprintf("%s%032d", token[:len(token)-32], i)
				claims.token = &text
				put += int64((&cacheEntry{claims: claims}).weigh())
				r.Verifier.cache.put(claims, by, set, 0)
			}
			grown := heap() - before
			stats := r.Stats()
			t.Logf("%d tokens, heap %.2f × the setting", stats.Tokens, float64(grown)/setting)
			if grown > 2*setting {
				t.Errorf("the heap grew by %d bytes, the setting is %d", grown, setting)
			}
			// Nor is the weight so large that the cache is of little use.
			if stats.TokenBytes > setting || stats.Tokens == 0 || grown < setting/4 {
				t.Errorf("%d tokens weigh %d bytes, the heap grew by %d", stats.Tokens, stats.TokenBytes, grown)
			}
		})
	}
}

// heap returns the bytes of reachable memory.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
