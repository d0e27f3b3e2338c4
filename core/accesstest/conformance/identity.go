package conformance

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
)

// claims is about what the handler learns of the caller.
func (s *suite) claims(t *testing.T) {
	person, service := s.team.SignUser(audience, ada), s.team.SignService(audience, robot)

	check(t, "person", "the adapter's Claims returns what the token says of a person", func(t *testing.T) {
		got := s.seen(t, s.plain, PathWhoAmI, inHeader(person)).Claims
		if got == nil || got.Email != ada || got.CommonName != "" || got.Subject == "" {
			t.Errorf("got %+v, want %s and a subject", got, ada)
		}
	})
	check(t, "service", "the adapter's Claims returns what the token says of a service token", func(t *testing.T) {
		got := s.seen(t, s.plain, PathWhoAmI, inHeader(service)).Claims
		if got == nil || got.CommonName != robot || got.Email != "" || got.Subject != "" {
			t.Errorf("got %+v, want %s alone", got, robot)
		}
	})
	check(t, "token", "Claims.Token is the token that was sent, for calls on the caller's behalf", func(t *testing.T) {
		for name, header := range map[string]http.Header{"header": inHeader(person), "cookie": inCookie(person)} {
			if got := s.seen(t, s.plain, PathWhoAmI, header).Claims; got == nil || got.Token != person {
				t.Errorf("%s: got %+v, want the token %s", name, got, person)
			}
		}
	})
	check(t, "context", "core.FromContext finds in the request's context what the adapter's Claims returns", func(t *testing.T) {
		for _, path := range []string{PathWhoAmI, PathRequired} {
			for _, token := range []string{person, service} {
				saw := s.seen(t, s.plain, path, inHeader(token))
				if saw.Claims == nil || !saw.Claims.same(saw.Context) {
					t.Errorf("%s: %v", path, saw)
				}
			}
		}
	})
}

// emailSpellings are names that some server takes for core.EmailHeader.
var emailSpellings = []string{core.EmailHeader, strings.ToLower(core.EmailHeader), "Cf_Access_Authenticated_User_Email"}

// emailHeader is about the header field that Access sets unsigned: anyone who
// reaches the origin directly can forge it.
func (s *suite) emailHeader(t *testing.T) {
	check(t, "named in Connection", "a mention in Connection is removed, or a reverse proxy would drop the header", func(t *testing.T) {
		for _, name := range emailSpellings {
			header := with(inHeader(s.team.SignUser(audience, ada)), "Connection", "keep-alive, "+name)
			saw := s.seen(t, s.plain, PathWhoAmI, with(header, core.EmailHeader, ada))
			if !slices.Equal(saw.Emails, []string{ada}) {
				t.Errorf("the handler saw %q", saw.Emails)
			}
			if connection := strings.Join(saw.Connection, ","); strings.Contains(connection, name) {
				t.Errorf("the handler saw Connection: %s", connection)
			}
		}
	})
	check(t, "in a trailer", "a trailer is no header: it forges no email", func(t *testing.T) {
		for _, announced := range []bool{false, true} {
			got, err := s.withTrailer(s.plain, inHeader(s.team.SignUser(audience, ada)), announced)
			if err != nil {
				t.Fatal(err)
			}
			if got.status/100 == 4 {
				continue // refusing such a body is safe too
			}
			if saw := sightingOf(t, got); !slices.Equal(saw.Emails, []string{ada}) {
				t.Errorf("the handler saw the email header %q", saw.Emails)
			}
		}
	})

	const overwritten = "the email header holds the verified email, and no forged one, when the handler runs"
	const removed = "where there is no verified email, no email header reaches the handler"
	person, service := s.team.SignUser(audience, ada), s.team.SignService(audience, robot)

	for name, test := range map[string]struct {
		rule   string
		to     server
		path   string
		header http.Header
		email  string
	}{
		"overwritten for a person":           {overwritten, s.plain, PathWhoAmI, inHeader(person), ada},
		"overwritten for a person by cookie": {overwritten, s.plain, PathWhoAmI, inCookie(person), ada},
		"overwritten behind Require":         {overwritten, s.plain, PathRequired, inHeader(person), ada},
		"overwritten where optional":         {overwritten, s.optional, PathWhoAmI, inHeader(person), ada},
		"removed for a service token":        {removed, s.plain, PathWhoAmI, inHeader(service), ""},
		"removed for an anonymous caller":    {removed, s.optional, PathWhoAmI, nil, ""},
		"removed for a skipped request":      {removed, s.plain, PathSkipped, nil, ""},
		"removed for a skipped request with a good token": {
			removed, s.plain, PathSkipped, inHeader(person), "",
		},
	} {
		check(t, name, test.rule, func(t *testing.T) {
			want := []string{}
			if test.email != "" {
				want = []string{test.email}
			}
			for spelling, forged := range map[string]http.Header{
				"none":                  {},
				"one":                   {core.EmailHeader: {mallory}},
				"the right one":         {core.EmailHeader: {ada}},
				"an empty one":          {core.EmailHeader: {""}},
				"two":                   {core.EmailHeader: {mallory, eve}},
				"two, one of them true": {core.EmailHeader: {ada, mallory}},
				"lower case":            {strings.ToLower(core.EmailHeader): {mallory}},
				"upper case":            {strings.ToUpper(core.EmailHeader): {mallory}},
				"two spellings": {
					core.EmailHeader: {mallory}, strings.ToLower(core.EmailHeader): {eve},
				},
				"underscores":              {"Cf_Access_Authenticated_User_Email": {mallory}},
				"an underscore":            {"cf-access-authenticated_user-email": {mallory}},
				"underscores and the true": {"CF_ACCESS_AUTHENTICATED_USER_EMAIL": {mallory}, core.EmailHeader: {ada}},
			} {
				header := forged.Clone()
				for field, values := range test.header {
					header[field] = values
				}
				got := s.seen(t, test.to, test.path, header).Emails
				if strings.Join(got, ", ") != strings.Join(want, ", ") || len(got) != len(want) {
					t.Errorf("forged values: %s: the handler saw %q, want %q", spelling, got, want)
				}
			}
		})
	}
}
