package conformance

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
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

// classes returns all of them.
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

// A provocation is a request that is refused with an error of a class, and what
// the contract says of the answer.
type provocation struct {
	class
	status  int
	code    string
	header  http.Header
	path    string
	keyless bool // goes to an app whose keys can't be fetched
}

// provocations returns one for each class.
func (s *suite) provocations() []provocation {
	sign := func(options ...accesstest.Option) http.Header {
		return inHeader(s.team.SignUser(audience, ada, options...))
	}
	signAs := func(email string) http.Header { return inHeader(s.team.SignUser(audience, email)) }
	now := time.Now()
	table := map[error]provocation{
		core.ErrNoToken:           {status: 401, code: "token_missing"},
		core.ErrMalformed:         {status: 401, code: "token_invalid", header: sign(accesstest.WithoutHeader("kid"))},
		core.ErrUnknownKey:        {status: 401, code: "token_invalid", header: sign(accesstest.WithHeader("kid", "made-up"))},
		core.ErrSignature:         {status: 401, code: "token_invalid", header: sign(accesstest.SignedByStranger())},
		core.ErrIssuer:            {status: 401, code: "token_invalid", header: sign(accesstest.WithClaim("iss", "https://attacker.cloudflareaccess.com"))},
		core.ErrAudience:          {status: 401, code: "token_invalid", header: sign(accesstest.WithClaim("aud", []string{"another application's"}))},
		core.ErrTokenType:         {status: 401, code: "token_invalid", header: sign(accesstest.WithClaim("type", "org"))},
		core.ErrExpired:           {status: 401, code: "token_expired", header: sign(accesstest.WithExpiry(now.Add(-time.Hour)))},
		core.ErrNotYetValid:       {status: 401, code: "token_not_yet_valid", header: sign(accesstest.WithClaim("nbf", now.Add(time.Hour).Unix()))},
		core.ErrForbidden:         {status: 403, code: "forbidden", header: signAs(mallory), path: PathRequired},
		core.ErrKeysUnavailable:   {status: 503, code: "keys_unavailable", header: sign(), keyless: true},
		core.ErrPolicyUnavailable: {status: 503, code: "policy_unavailable", header: signAs(pending), path: PathRequired},
	}
	var provocations []provocation
	for _, c := range classes() {
		p := table[c.err]
		p.class = c
		if p.path == "" {
			p.path = PathWhoAmI
		}
		provocations = append(provocations, p)
	}
	return provocations
}

// refusals tests the contract's table, "What a refused client gets". It provokes
// each class of error in several ways and looks at each aspect of each answer.
func (s *suite) refusals(t *testing.T) {
	keyless := s.serve(t, App{Verifier: s.keyless})
	for _, p := range s.provocations() {
		t.Run(p.name, func(t *testing.T) {
			to := s.plain
			if p.keyless {
				to = keyless
			}
			want := s.refusal(t, to, p.path, p.header, p.err)
			if want.Status != p.status || want.Code != p.code {
				t.Fatalf("core.Refuse says %d %s; the contract says %d %s", want.Status, want.Code, p.status, p.code)
			}
			answers := map[string]answer{
				"GET":                     s.get(t, to, p.path, p.header),
				"GET for a page":          s.get(t, to, p.path, with(p.header, "Accept", "text/html,*/*;q=0.8")),
				"GET for plain JSON":      s.get(t, to, p.path, with(p.header, "Accept", "application/json")),
				"GET with a forged email": s.get(t, to, p.path, with(p.header, core.EmailHeader, ada)),
				"POST":                    s.send(t, to, http.MethodPost, p.path, p.header, "a body that nobody reads"),
				"OPTIONS":                 s.send(t, to, http.MethodOptions, p.path, p.header, ""),
			}
			for _, a := range aspects {
				check(t, a.name, a.rule, func(t *testing.T) {
					for name, got := range answers {
						if wrong := a.wrong(got, want); wrong != "" {
							t.Errorf("%s: %s", name, wrong)
						}
					}
				})
			}
			check(t, "HEAD", "HEAD gets the header fields that GET gets, and no body", func(t *testing.T) {
				got := s.send(t, to, http.MethodHead, p.path, p.header, "")
				// RFC 9110 section 8.6: a Content-Length is that of the answer to a GET.
				if length := got.header.Get("Content-Length"); length != "" && length != strconv.Itoa(len(want.Body())) {
					t.Errorf("got Content-Length %s; a GET gets %d bytes", length, len(want.Body()))
				}
				if got.body != "" {
					t.Errorf("got a body: %q", got.body)
				}
				got.body = string(want.Body())
				want.check(t, got)
			})
		})
	}
}

// A refusal is the answer that a refused request must get.
type refusal struct {
	*core.Refusal
	secrets []string // what the client may not read
}

// refusal returns the answer that core makes of a request, which it refuses with
// an error of that class.
func (s *suite) refusal(t *testing.T, to server, path string, header http.Header, class error) refusal {
	t.Helper()
	err := verdict(t.Context(), to.App, path, header)
	if !errors.Is(err, class) {
		t.Fatalf("the suite is wrong: core says %v of this request, not %v", err, class)
	}
	secrets := []string{"cfaccess:", audience, s.team.KeyID(), secretReason}
	if _, detail, _ := strings.Cut(err.Error(), class.Error()+": "); detail != "" {
		secrets = append(secrets, detail)
	}
	return refusal{core.Refuse(err), secrets}
}

// refuses sends a GET that must be refused with an error of that class.
func (s *suite) refuses(t *testing.T, to server, path string, header http.Header, class error) {
	t.Helper()
	want := s.refusal(t, to, path, header, class)
	want.check(t, s.get(t, to, path, header))
}

// check looks at every aspect of an answer.
func (r refusal) check(t *testing.T, got answer) {
	t.Helper()
	for _, a := range aspects {
		if wrong := a.wrong(got, r); wrong != "" {
			t.Errorf("%s: %s (%s)", a.name, wrong, a.rule)
		}
	}
}

// aspects are what to look at in the answer to a refused request. wrong returns
// what is wrong with it, or nothing.
var aspects = []struct {
	name, rule string
	wrong      func(got answer, want refusal) string
}{
	{"handler", "a refused request never reaches the handler", func(got answer, _ refusal) string {
		return differ(got.calls, 0)
	}},
	{"status", "the status is that of core.Refuse", func(got answer, want refusal) string {
		return differ(got.status, want.Status)
	}},
	{"Content-Type", "a refusal is a problem document (RFC 9457), with no charset", sameField("Content-Type")},
	{"Cache-Control", "the edge is a cache, which must not keep a refusal", sameField("Cache-Control")},
	{"WWW-Authenticate", "a 401 has the challenge of core.Refuse (RFC 6750), and no other status has one", sameField("Www-Authenticate")},
	{"Retry-After", "a 503 says when to try again, in 1 to 60 seconds, and no other status does", func(got answer, want refusal) string {
		if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); err == nil && want.RetryAfter > 0 && 1 <= seconds && seconds <= 60 {
			want.RetryAfter = time.Duration(seconds) * time.Second // time has passed since the verdict
		}
		return sameField("Retry-After")(got, want)
	}},
	{"body", "the body is that of core.Refuse, byte for byte", func(got answer, want refusal) string {
		return differ(got.body, string(want.Body()))
	}},
	{"secrets", "the client reads neither the error's text nor what was expected", func(got answer, want refusal) string {
		text := fmt.Sprint(got.header) + got.body
		for _, secret := range want.secrets {
			if strings.Contains(text, secret) {
				return fmt.Sprintf("the answer shows %q: %s", secret, text)
			}
		}
		return ""
	}},
}

// sameField compares all values of a header field that core.Refuse sets, or
// doesn't set.
func sameField(name string) func(answer, refusal) string {
	return func(got answer, want refusal) string {
		return differ(fmt.Sprintf("%q", got.header.Values(name)), fmt.Sprintf("%q", want.Header().Values(name)))
	}
}

func differ[T comparable](got, want T) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf("got %#v, want %#v", got, want)
}
