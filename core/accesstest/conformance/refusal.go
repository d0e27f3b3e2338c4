package conformance

import (
	"net/http"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// A class is one of core's errors.
type class struct {
	name string
	err  error
}

func classes() []class {
	return []class{
		{"ErrNoToken", core.ErrNoToken},
		{"ErrMalformed", core.ErrMalformed},
		{"ErrUnknownKey", core.ErrUnknownKey},
		{"ErrSignature", core.ErrSignature},
		{"ErrIssuer", core.ErrIssuer},
		{"ErrAudience", core.ErrAudience},
		{"ErrTokenType", core.ErrTokenType},
		{"ErrExpired", core.ErrExpired},
		{"ErrNotYetValid", core.ErrNotYetValid},
		{"ErrForbidden", core.ErrForbidden},
		{"ErrKeysUnavailable", core.ErrKeysUnavailable},
		{"ErrPolicyUnavailable", core.ErrPolicyUnavailable},
	}
}

// A provocation is a request that provokes a class of error, and what the design
// says of the answer.
type provocation struct {
	class
	status  int
	code    string
	path    string
	header  http.Header
	keyless bool // goes to a site whose keys can't be fetched
}

// provocations returns one for each class, in its order.
func (s *suite) provocations() []provocation {
	sign := func(options ...accesstest.Option) http.Header {
		return inHeader(s.team.SignUser(audience, ada, options...))
	}
	now := time.Now()
	const invalid = "token_invalid"
	table := map[string]provocation{
		"ErrNoToken":         {status: 401, code: "token_missing"},
		"ErrMalformed":       {status: 401, code: invalid, header: sign(accesstest.WithoutHeader("kid"))},
		"ErrUnknownKey":      {status: 401, code: invalid, header: sign(accesstest.WithHeader("kid", "made-up"))},
		"ErrSignature":       {status: 401, code: invalid, header: sign(accesstest.SignedByStranger())},
		"ErrIssuer":          {status: 401, code: invalid, header: sign(accesstest.WithClaim("iss", "https://other.cloudflareaccess.com"))},
		"ErrAudience":        {status: 401, code: invalid, header: sign(accesstest.WithClaim("aud", []string{"another application's"}))},
		"ErrTokenType":       {status: 401, code: invalid, header: sign(accesstest.WithClaim("type", "org"))},
		"ErrExpired":         {status: 401, code: "token_expired", header: sign(accesstest.WithExpiry(now.Add(-time.Hour)))},
		"ErrNotYetValid":     {status: 401, code: "token_not_yet_valid", header: sign(accesstest.WithClaim("nbf", now.Add(time.Hour).Unix()))},
		"ErrForbidden":       {status: 403, code: "forbidden", header: inHeader(s.team.SignUser(audience, mallory)), path: PathRequired},
		"ErrKeysUnavailable": {status: 503, code: "keys_unavailable", header: sign(), keyless: true},
		"ErrPolicyUnavailable": {
			status: 503, code: "policy_unavailable", header: inHeader(s.team.SignUser(audience, pending)), path: PathRequired,
		},
	}
	var provocations []provocation
	for _, c := range classes() {
		p, ok := table[c.name]
		if !ok {
			panic("conformance: nothing provokes " + c.name)
		}
		p.class = c
		if p.path == "" {
			p.path = PathWhoAmI
		}
		provocations = append(provocations, p)
	}
	return provocations
}

// refusals goes through the table of the design, "What a refused client gets".
// Each class of error is provoked for real, in several ways, and each answer is
// looked at in every aspect.
func (s *suite) refusals(t *testing.T) {
	for _, p := range s.provocations() {
		t.Run(p.name, func(t *testing.T) {
			to := s.plain
			if p.keyless {
				to = s.keyless
			}
			want := s.wanted(t, to, p.path, p.header, p.err)
			if want.Status != p.status || want.Code != p.code {
				t.Fatalf("core.Refuse says %d %s; the design says %d %s", want.Status, want.Code, p.status, p.code)
			}

			send := func(method string, header http.Header, body string) answer {
				return s.send(t, to, method, p.path, header, body)
			}
			answers := map[string]answer{
				"GET":                     send(http.MethodGet, p.header, ""),
				"GET for a page":          send(http.MethodGet, with(p.header, "Accept", "text/html,*/*;q=0.8"), ""),
				"GET for plain JSON":      send(http.MethodGet, with(p.header, "Accept", "application/json"), ""),
				"GET with a forged email": send(http.MethodGet, with(p.header, core.EmailHeader, ada), ""),
				"POST":                    send(http.MethodPost, p.header, "a body that nobody reads"),
				"OPTIONS":                 send(http.MethodOptions, p.header, ""),
			}
			head := send(http.MethodHead, p.header, "")
			for _, a := range aspects() {
				check(t, a.name, a.rule, func(t *testing.T) {
					for name, got := range answers {
						if wrong := a.wrong(got, want); wrong != "" {
							t.Errorf("%s: %s", name, wrong)
						}
					}
				})
			}
			check(t, "HEAD", "HEAD gets the header fields that GET gets, and no body", func(t *testing.T) {
				for _, a := range aspects() {
					if a.name == "body" {
						a.wrong = noBody
					}
					if wrong := a.wrong(head, want); wrong != "" {
						t.Errorf("%s: %s (%s)", a.name, wrong, a.rule)
					}
				}
			})
		})
	}
}
