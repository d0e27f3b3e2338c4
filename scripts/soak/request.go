package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// The AUD tags of the application, and of another one.
var aud, otherAud = strings.Repeat("a1", 32), strings.Repeat("b2", 32)

// kinds are the tokens that clients send. The first three are good, until they
// expire or their key is withdrawn.
var kinds = []struct {
	name, outcome string
	sign          func(s *soak, name string) string
}{
	{"person", accepted, user()},
	{"service", accepted, func(s *soak, name string) string { return s.team.SignService(aud, name) }},
	{"short-lived", accepted, func(s *soak, name string) string {
		return s.team.SignUser(aud, name, accesstest.WithExpiry(time.Now().Add(2*time.Second)))
	}},
	{"expired", accepted, user(accesstest.WithClaim("exp", 1))},
	{"not yet valid", "401 token_not_yet_valid", user(accesstest.WithClaim("nbf", 1<<32))},
	{"stranger's signature", invalid, user(accesstest.SignedByStranger())},
	{"stranger's team", invalid, func(s *soak, name string) string { return s.stranger.SignUser(aud, name) }},
	{"unknown kid", invalid, func(s *soak, name string) string {
		return s.team.SignUser(aud, name, accesstest.WithHeader("kid", strings.Repeat(name[:8], 8)))
	}},
	{"HS256", invalid, user(accesstest.SignedHS256())},
	{"large header", invalid, user(accesstest.WithHeader("x", strings.Repeat("x", 600)))},
	{"no kid", invalid, user(accesstest.WithoutHeader("kid"))},
	{"other audience", invalid, user(accesstest.WithClaim("aud", otherAud))},
	{"other issuer", invalid, user(accesstest.WithClaim("iss", "https://umbrella.cloudflareaccess.com"))},
	{"org", invalid, user(accesstest.WithClaim("type", "org"))},
	{"meta", invalid, user(accesstest.WithClaim("type", "meta"), accesstest.WithoutClaim("iss"))},
	{"no type", invalid, user(accesstest.WithoutClaim("type"))},
	{"flipped bit", invalid, mutated(flip)},
	{"truncated", invalid, mutated(func(raw string) string { return raw[:len(raw)-8] })},
	{"two segments", invalid, mutated(func(raw string) string { return raw[:strings.LastIndexByte(raw, '.')] })},
	{"oversized", invalid, mutated(func(raw string) string { return raw + strings.Repeat("A", 8<<10) })},
	{"not a token", invalid, mutated(func(string) string { return "not.a.token" })},
}

func user(options ...accesstest.Option) func(*soak, string) string {
	return func(s *soak, name string) string { return s.team.SignUser(aud, name, options...) }
}

func mutated(mutate func(raw string) string) func(*soak, string) string {
	return func(s *soak, name string) string { return mutate(s.team.SignUser(aud, name)) }
}

// flip changes a character of the signature.
func flip(raw string) string {
	i := len(raw) - 100
	return raw[:i] + string('A'+(raw[i]-'A'+1)%26) + raw[i+1:]
}

// A token comes with the truth about a request that carries nothing else.
type token struct {
	kind, raw string
	truth
}

// pick returns one of the tokens that all clients share, and replaces one from
// time to time.
func (s *soak) pick(random *rand.Rand) *token {
	slot := &s.tokens[random.IntN(len(s.tokens))]
	if t := slot.Load(); t != nil && random.IntN(50) > 0 {
		return t
	}
	kind, name := kinds[random.IntN(len(kinds))], fmt.Sprintf("%08x@example.com", random.Uint32())
	if random.IntN(3) > 0 {
		kind = kinds[random.IntN(3)]
	}
	raw, claims := kind.sign(s, name), jwt.MapClaims{}
	t := &token{kind.name, raw, truth{outcome: kind.outcome}}
	if parsed, _, err := jwt.NewParser().ParseUnverified(raw, claims); err == nil {
		t.kid, _ = parsed.Header["kid"].(string)
	}
	if expiry, err := claims.GetExpirationTime(); err == nil && kind.outcome == accepted {
		email, _ := claims["email"].(string)
		t.expires, t.body = expiry.Add(leeway), describe(name, raw, email)
	}
	slot.Store(t)
	return t
}

func inHeader(raw ...string) http.Header { return http.Header{core.TokenHeader: raw} }

// inCookies comes with an empty token header, which counts as absent.
func inCookies(raw ...string) http.Header {
	cookies := core.TokenCookie + "=" + strings.Join(raw, "; "+core.TokenCookie+"=")
	return http.Header{core.TokenHeader: {""}, "Cookie": {"theme=dark; " + cookies}}
}

// emailNames are spellings of a name that a program may take for core.EmailHeader.
var emailNames = []string{
	"Cf-Access-Authenticated-User-Email", "cf-access-authenticated-user-email",
	"CF_ACCESS_AUTHENTICATED_USER_EMAIL", "Cf-Access-Authenticated_User-Email",
}

// next makes the next request of a client.
func (s *soak) next(random *rand.Rand) (t token, header http.Header) {
	t = *s.pick(random)
	header = inHeader(t.raw)
	isPlain := t.kind == "person" || t.kind == "service"
	switch n := random.IntN(20); {
	case n == 0:
		t, header = token{kind: "no token", truth: truth{outcome: "401 token_missing"}}, http.Header{}
	case n == 1:
		t.kind, t.truth, header = "two token headers", truth{outcome: invalid}, inHeader(t.raw, t.raw)
	case n == 2:
		t.kind, t.truth, header = "cookie after four bad ones", truth{outcome: invalid}, inCookies("a", "b", "c", "d", t.raw)
	case n == 3 && isPlain:
		t.kind, header = "good cookie after a bad one", inCookies(flip(t.raw), t.raw)
	case n == 4 && isPlain:
		t.kind, t.truth, header = "bad header, good cookie", truth{kid: t.kid, outcome: invalid}, inCookies(t.raw)
		header.Set(core.TokenHeader, flip(t.raw))
	case n%2 == 0:
		header = inCookies(t.raw)
	}
	if random.IntN(3) == 0 {
		header[emailNames[random.IntN(len(emailNames))]] = []string{"root@example.com"}
	}
	return t, header
}
