package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// The policy of /admin/ allows ada and refuses eve.
const ada, eve = "ada@example.com", "eve@elsewhere.example"

// A situation is a row of the table. Act returns the actual answer.
type situation struct {
	name, want string
	act        func(*site) string
}

// A site is a server that has fetched no keys yet, and its team.
type site struct {
	team     *accesstest.Team
	verifier *core.Verifier
	handler  http.Handler
}

// situations returns the table. The rows that change the team's keys come last,
// because the tokens of the others are signed here.
func situations(team *accesstest.Team) []situation {
	const helloAda, helloGuest, missing, invalid = "200 hello " + ada, "200 hello guest", "401 token_missing", "401 token_invalid"
	const header, email = core.TokenHeader, core.EmailHeader
	sign := func(options ...accesstest.Option) string { return team.SignUser(audience, ada, options...) }
	claim := func(name string, value any) string { return sign(accesstest.WithClaim(name, value)) }
	good, forged, ofEve := sign(), sign(accesstest.SignedByStranger()), team.SignUser(audience, eve)
	expired := sign(accesstest.WithExpiry(time.Now().Add(-time.Hour)))
	ctx, cookie := context.Background(), core.TokenCookie+"="
	return []situation{
		{"token in the header", helloAda, get("/", header, good)},
		{"token in the cookie", helloAda, get("/", "Cookie", cookie+good)},
		{"service token", "200 hello ci-bot.access", get("/", header, team.SignService(audience, "ci-bot.access"))},
		{"no token", missing, get("/")},
		{"forged signature", invalid, get("/", header, forged)},
		{"expired token", "401 token_expired", get("/", header, expired)},
		{"token not valid yet", "401 token_not_yet_valid", get("/", header, claim("nbf", time.Now().Add(time.Hour).Unix()))},
		{"token for another application", invalid, get("/", header, claim("aud", []string{strings.Repeat("0", 64)}))},
		{"token of another team", invalid, get("/", header, claim("iss", "https://other.cloudflareaccess.com"))},
		{"session token of the team (type org)", invalid, get("/", header, claim("type", "org"))},
		{"alg none", invalid, get("/", header, sign(accesstest.Unsigned()))},
		{"HS256 with the public key", invalid, get("/", header, sign(accesstest.SignedHS256()))},
		{"token without a kid", invalid, get("/", header, sign(accesstest.WithoutHeader("kid")))},
		{"two token headers", invalid, get("/", header, good, header, good)},
		{"forged token header, good cookie", invalid, get("/", header, forged, "Cookie", cookie+good)},
		{"empty token header, good cookie", helloAda, get("/", header, "", "Cookie", cookie+good)},
		{"forged email header, no token", missing, get("/email", email, ada)},
		{"forged email header, token of another user", `200 email header "` + eve + `"`, get("/email", email, ada, header, ofEve)},
		{"forged email header on a public path", `200 email header ""`, get("/public", email, ada)},
		{"user whom a policy allows", helloAda, get("/admin/", header, good)},
		{"user whom a policy refuses", "403 forbidden", get("/admin/", header, ofEve)},
		{"optional route, no token", helloGuest, get("/welcome")},
		{"optional route, expired cookie", helloGuest, get("/welcome", "Cookie", cookie+expired)},
		{"optional route, forged token", invalid, get("/welcome", header, forged)},
		{"token of the previous key", helloAda, get("/", header, sign(accesstest.SignedByPreviousKey()))},
		{"200 unknown kids", "200 × " + invalid + ", 1 fetch", unknownKids},
		{"certs endpoint fails, keys known", helloAda, func(s *site) string {
			_ = s.verifier.Refresh(ctx)
			s.team.Fail(http.StatusBadGateway)
			_ = s.verifier.Refresh(ctx) // fails
			return get("/", header, good)(s)
		}},
		{"certs endpoint fails, no keys yet", "503 keys_unavailable", func(s *site) string {
			s.team.Fail(http.StatusBadGateway)
			return get("/", header, good)(s)
		}},
		{"key rotated", helloAda, func(s *site) string {
			_ = s.verifier.Refresh(ctx)
			s.team.Rotate()
			return get("/", header, sign())(s)
		}},
		{"key withdrawn during a session", helloAda + ", then " + invalid, func(s *site) string {
			session := get("/", header, sign())
			before := session(s)
			s.team.Rotate()
			s.team.Withdraw()
			_ = s.verifier.Refresh(ctx)
			return before + ", then " + session(s)
		}},
	}
}

// get sends a request with header fields, each a name and a value. It returns
// the status of the answer, and the code of its problem document or else its body.
func get(path string, header ...string) func(*site) string {
	return func(s *site) string {
		request := httptest.NewRequest(http.MethodGet, path, nil)
		for i := 0; i < len(header); i += 2 {
			request.Header.Add(header[i], header[i+1])
		}
		response := httptest.NewRecorder()
		s.handler.ServeHTTP(response, request)
		var problem struct{ Code string }
		if json.Unmarshal(response.Body.Bytes(), &problem) != nil {
			problem.Code = strings.TrimSpace(response.Body.String())
		}
		return fmt.Sprint(response.Code, " ", problem.Code)
	}
}

// unknownKids sends tokens with key ids that the team never published.
func unknownKids(s *site) string {
	_ = s.verifier.Refresh(context.Background())
	before, answers := s.team.Fetches(), map[string]int{}
	for i := range 200 {
		kid := accesstest.WithHeader("kid", fmt.Sprintf("%064x", i))
		answers[get("/", core.TokenHeader, s.team.SignUser(audience, ada, kid))(s)]++
	}
	actual := fmt.Sprintf("%d fetch", s.team.Fetches()-before)
	for answer, n := range answers {
		actual = fmt.Sprintf("%d × %s, %s", n, answer, actual)
	}
	return actual
}
