package conformance

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// emailSpellings are names that some server takes for core.EmailHeader.
var emailSpellings = []string{
	core.EmailHeader,
	strings.ToLower(core.EmailHeader),
	strings.ToUpper(core.EmailHeader),
	"Cf_Access_Authenticated_User_Email",
	"cf-access_authenticated-user_email",
	"Cf.Access.Authenticated.User.Email",
}

// emailHeader tests the header field that Access sets unsigned: anyone who
// reaches the origin directly can forge it.
func (s *suite) emailHeader(t *testing.T, to server) {
	const rule = "behind the adapter the email header holds the verified email and no forged one, in any spelling"
	person, service := s.team.SignUser(audience, ada), s.team.SignService(audience, robot)
	forgeries := map[string]http.Header{
		"none":                      {},
		"the right one":             {core.EmailHeader: {ada}},
		"an empty one":              {core.EmailHeader: {""}},
		"two":                       {core.EmailHeader: {forgedEmail, eve}},
		"two, one of them right":    {core.EmailHeader: {ada, forgedEmail}},
		"every spelling":            {},
		"right, and another's case": {core.EmailHeader: {ada}, strings.ToLower(core.EmailHeader): {forgedEmail}},
		"right, and underscores":    {core.EmailHeader: {ada}, "Cf_Access_Authenticated_User_Email": {forgedEmail}},
	}
	for _, name := range emailSpellings {
		forgeries[name] = http.Header{name: {forgedEmail}}
		forgeries["every spelling"][name] = []string{forgedEmail}
	}
	for name, test := range map[string]struct {
		path   string
		token  http.Header
		caller string
	}{
		"person":                 {PathWhoAmI, inHeader(person), ada},
		"person by cookie":       {PathWhoAmI, inCookie(person), ada},
		"service token":          {PathWhoAmI, inHeader(service), robot},
		"skipped":                {PathSkipped, nil, anonymous},
		"skipped, good token":    {PathSkipped, inHeader(person), anonymous},
		"person, nested":         {PathNested, inHeader(person), ada},
		"person, nested skipped": {PathNestedSkipped, inHeader(person), ada},
	} {
		check(t, name, rule, func(t *testing.T) {
			for forgery, header := range forgeries {
				header = maps.Clone(header)
				maps.Copy(header, test.token)
				if _, err := parseReport(s.get(t, to, test.path, header), test.caller); err != nil {
					t.Errorf("forged values: %s: %v", forgery, err)
				}
			}
		})
	}
}

// connection tests the header field Connection, which makes a reverse proxy
// behind the adapter drop the fields that it names.
func (s *suite) connection(t *testing.T) {
	good := inHeader(s.team.SignUser(audience, ada))
	check(t, "email header", "a mention of the email header in Connection is removed, and the header stays", func(t *testing.T) {
		for _, name := range emailSpellings {
			header := with(with(good, "Connection", "X-Hop, "+name), core.EmailHeader, ada)
			saw := s.admits(t, s.plain, PathWhoAmI, header, ada)
			if got := strings.Join(saw.Connection, ","); strings.Contains(got, name) {
				t.Errorf("the handler saw Connection: %s", got)
			}
		}
	})
	check(t, "other fields", "other mentions in Connection stay", func(t *testing.T) {
		saw := s.admits(t, s.plain, PathWhoAmI, with(good, "Connection", "X-Hop"), ada)
		if got := strings.Join(saw.Connection, ","); got != "X-Hop" {
			t.Errorf("the handler saw Connection: %q, want X-Hop", got)
		}
	})
}

// trailers tests fields behind a chunked body. Some servers add them to the
// headers, announced or not.
func (s *suite) trailers(t *testing.T) {
	good := s.team.SignUser(audience, ada)
	forged := s.team.SignUser(audience, bob, accesstest.SignedByStranger())
	optional := s.serve(t, App{Rule: core.Rule{Optional: true}})
	for name, test := range map[string]struct {
		to          server
		header      http.Header
		field, sent string
		caller      string // who may reach the handler; anybody else may not
	}{
		"email":                      {s.plain, inHeader(good), core.EmailHeader, forgedEmail, ada},
		"email, underscores":         {s.plain, inHeader(good), "Cf_Access_Authenticated_User_Email", forgedEmail, ada},
		"email, anonymous":           {optional, nil, core.EmailHeader, forgedEmail, anonymous},
		"forged token, no token":     {optional, nil, core.TokenHeader, forged, anonymous},
		"forged token, good token":   {s.plain, inHeader(good), core.TokenHeader, forged, ada},
		"forged token, token missed": {s.plain, nil, core.TokenHeader, forged, "nobody"},
	} {
		check(t, name, "a trailer is refused or dropped: it forges neither the email header nor a caller", func(t *testing.T) {
			for _, announced := range []bool{false, true} {
				header := with(test.header, "Transfer-Encoding", "chunked")
				if announced {
					header = with(header, "Trailer", test.field)
				}
				body := fmt.Sprintf("4\r\nbody\r\n0\r\n%s: %s\r\n\r\n", test.field, test.sent)
				got, err := tryRaw(test.to, http.MethodPost, PathWhoAmI, header, body)
				if err == nil && got.status/100 != 4 {
					_, err = parseReport(got, test.caller)
				}
				if err != nil {
					t.Errorf("announced: %v: %v", announced, err)
				}
			}
		})
	}
}
