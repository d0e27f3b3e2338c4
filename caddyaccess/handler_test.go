package caddyaccess_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/caddyaccess"
	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

func pooled(testing.TB) int { return caddyaccess.Pooled() }

// access is the directive with more options than those that it needs.
func access(options ...string) string {
	return fmt.Sprintf("cloudflare_access {\nteam acme\naudience %s\n%s\n}\n", audience, strings.Join(options, "\n"))
}

func TestOptions(t *testing.T) {
	team := newTeam(t)
	team.SetGroups("bob@example.com", "engineering", "staff")
	ada, bob := team.SignUser(audience, "ada@example.com"), team.SignUser(audience, "bob@example.com")
	eve, robot := team.SignUser(audience, "eve@elsewhere.example"), team.SignService(audience, "robot.access")
	forged := team.SignUser(audience, "ada@example.com", accesstest.SignedByStranger())
	all := []string{"allow_emails eve@elsewhere.example", "allow_domains nowhere.example", "allow_groups engineering", "allow_services robot.access"}
	for name, test := range map[string]struct {
		options []string
		path    string
		field   string // with the token
		token   string
		want    string
	}{
		"no list: person":                   {nil, "/", core.TokenHeader, ada, "200 passed"},
		"no list: service":                  {nil, "/", core.TokenHeader, robot, "200 passed"},
		"no list: no token":                 {nil, "/", "", "", "401 token_missing"},
		"no list: forged":                   {nil, "/", core.TokenHeader, forged, "401 token_invalid"},
		"another application":               {nil, "/", core.TokenHeader, team.SignUser(other, "ada@example.com"), "401 token_invalid"},
		"second application":                {[]string{"audience " + other}, "/", core.TokenHeader, team.SignUser(other, "ada@example.com"), "200 passed"},
		"allow_emails: listed":              {[]string{"allow_emails bob@example.com ADA@example.com"}, "/", core.TokenHeader, ada, "200 passed"},
		"allow_emails: another":             {[]string{"allow_emails bob@example.com"}, "/", core.TokenHeader, ada, "403 forbidden"},
		"allow_domains: listed":             {[]string{"allow_domains example.com"}, "/", core.TokenHeader, ada, "200 passed"},
		"allow_domains: another":            {[]string{"allow_domains example.com"}, "/", core.TokenHeader, eve, "403 forbidden"},
		"allow_domains: service":            {[]string{"allow_domains example.com"}, "/", core.TokenHeader, robot, "403 forbidden"},
		"allow_groups: member":              {[]string{"allow_groups engineering"}, "/", core.TokenHeader, bob, "200 passed"},
		"allow_groups: not a member":        {[]string{"allow_groups engineering"}, "/", core.TokenHeader, ada, "403 forbidden"},
		"allow_services: listed":            {[]string{"allow_services robot.access"}, "/", core.TokenHeader, robot, "200 passed"},
		"allow_services: another":           {[]string{"allow_services ci.access"}, "/", core.TokenHeader, robot, "403 forbidden"},
		"allow_services: person":            {[]string{"allow_services robot.access"}, "/", core.TokenHeader, ada, "403 forbidden"},
		"all lists: in the first":           {all, "/", core.TokenHeader, eve, "200 passed"},
		"all lists: in that of groups":      {all, "/", core.TokenHeader, bob, "200 passed"},
		"all lists: in that of services":    {all, "/", core.TokenHeader, robot, "200 passed"},
		"all lists: in none":                {all, "/", core.TokenHeader, ada, "403 forbidden"},
		"cookie":                            {nil, "/", "Cookie", core.TokenCookie + "=" + ada, "200 passed"},
		"header_only: cookie":               {[]string{"header_only"}, "/", "Cookie", core.TokenCookie + "=" + ada, "401 token_missing"},
		"header_only: header":               {[]string{"header_only"}, "/", core.TokenHeader, ada, "200 passed"},
		"optional: no token":                {[]string{"optional"}, "/", "", "", "200 passed"},
		"optional: forged":                  {[]string{"optional"}, "/", core.TokenHeader, forged, "401 token_invalid"},
		"optional: not in the list":         {[]string{"optional", "allow_domains example.com"}, "/", core.TokenHeader, eve, "403 forbidden"},
		"skip: the path":                    {[]string{"skip /healthz"}, "/healthz", "", "", "200 passed"},
		"skip: the path, forged":            {[]string{"skip /healthz"}, "/healthz", core.TokenHeader, forged, "200 passed"},
		"skip: second path":                 {[]string{"skip /healthz /readyz"}, "/readyz?x", "", "", "200 passed"},
		"skip: escaped":                     {[]string{"skip /healthz"}, "/%68ealthz", "", "", "401 token_missing"},
		"skip: below the path":              {[]string{"skip /healthz"}, "/healthz/x", "", "", "401 token_missing"},
		"skip: as the rewrite in front":     {[]string{"skip /healthz", "}", "rewrite /probe /healthz", "vars {"}, "/probe", "", "", "200 passed"},
		"skip: rewritten to another path":   {[]string{"skip /healthz", "}", "rewrite /healthz /admin", "vars {"}, "/healthz", "", "", "401 token_missing"},
		"placeholder: team and audience":    {[]string{"audience {env.SECOND}"}, "/", core.TokenHeader, team.SignUser(other, "ada@example.com"), "200 passed"},
		"placeholder: in a list":            {[]string{"allow_domains {env.DOMAIN}"}, "/", core.TokenHeader, ada, "200 passed"},
		"placeholder: in a list, another":   {[]string{"allow_domains {env.DOMAIN}"}, "/", core.TokenHeader, eve, "403 forbidden"},
		"placeholder: in the path to skip":  {[]string{"skip /{env.HEALTH}"}, "/alive", "", "", "200 passed"},
		"placeholder: not in the request's": {[]string{"skip /{env.HEALTH}"}, "/{env.HEALTH}", "", "", "401 token_missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SECOND", other)
			t.Setenv("DOMAIN", "example.com")
			t.Setenv("HEALTH", "alive")
			url := site(t, team, "", access(test.options...)+"respond passed")
			answers(t, test.want, url+test.path, test.field, test.token)
		})
	}
}

// An empty list in JSON names nobody. Without the member, everybody verified passes.
func TestEmptyListsNameNobody(t *testing.T) {
	team := newTeam(t)
	for _, list := range []string{"allow_emails", "allow_domains", "allow_groups", "allow_services"} {
		for value, want := range map[string]string{"[]": "403 forbidden", `[""]`: "403 forbidden", "null": "200 passed"} {
			address := freeAddress(t)
			apps := unmarshal(t, fmt.Sprintf(`{"http": {"servers": {"test": {"listen": [%q], "automatic_https": {"disable": true}, "routes": [{"handle": [
				{"handler": "cloudflare_access", "team": "acme", "audiences": [%q], "endpoint": %q, %q: %s},
				{"handler": "static_response", "body": "passed"}]}]}}}}`, address, audience, team.URL, list, value))
			if err := run(t, apps); err != nil {
				t.Fatal(err)
			}
			for _, token := range []string{team.SignUser(audience, "ada@example.com"), team.SignService(audience, "robot.access")} {
				answers(t, want, "http://"+address, core.TokenHeader, token)
			}
		}
	}
}

// A refusal is an answer and no error, so that handle_errors doesn't replace it. An
// intercept in front of the directive can.
func TestRefusalIsAnAnswer(t *testing.T) {
	team := newTeam(t)
	url := site(t, team, "", access()+"handle_errors {\nrespond replaced\n}")
	answers(t, "401 token_missing", url)
	url = site(t, team, "", "route {\nintercept {\n@no status 401\nhandle_response @no {\nrespond \"sign in first\" 401\n}\n}\n"+access()+"}")
	answers(t, "401 sign in first", url)
}

func TestPlaceholders(t *testing.T) {
	team := newTeam(t)
	team.SetIdentity("ada@example.com", map[string]any{"groups": []any{
		"staff", map[string]any{"id": "7", "name": "site reliability"}, map[string]any{"id": "8"}, "a,admin",
	}})
	ada, robot := team.SignUser(audience, "ada@example.com", accesstest.WithClaim("sub", "7335d417")), team.SignService(audience, "robot.access")
	const respond = `respond "{http.auth.user.id} {http.auth.user.email} {http.auth.user.groups}"`
	for name, test := range map[string]struct {
		directives, token, want string
		asked                   int // times that Access was, for groups
	}{
		"person":        {access() + respond, ada, "200 7335d417 ada@example.com staff,site reliability,8", 1},
		"service":       {access() + respond, robot, "200 robot.access", 0},
		"anonymous":     {access("optional") + respond, "", "200 ", 0},
		"skipped":       {access("skip /") + respond, ada, "200 ", 0},
		"not used":      {access() + `respond "{http.auth.user.email}"`, ada, "200 ada@example.com", 0},
		"header":        {access("optional") + "request_header X-User <{http.auth.user.id}>\nrespond {http.request.header.X-User}", "", "200 <>", 0},
		"vars_regexp":   {access() + "@staff vars_regexp {http.auth.user.groups} (^|,)staff(,|$)\nrespond @staff staff\nrespond other", ada, "200 staff", 1},
		"not by commas": {access() + "@admin vars_regexp {http.auth.user.groups} (^|,)admin(,|$)\nrespond @admin admin\nrespond other", ada, "200 other", 1},
		"allowed by email": {
			access("allow_groups staff", "allow_emails ada@example.com") + `respond "{http.auth.user.email}"`, ada, "200 ada@example.com", 0,
		},
		"expression": {
			access() + `@staff expression {http.auth.user.groups}.contains("staff")` + "\nrespond @staff staff\nrespond other", ada, "500 ", 1, // as part of the error
		},
		"inner one skips": {
			"route {\n" + access() + access("skip /") + "}\n" + `respond "{http.auth.user.id} {http.auth.user.email}"`, ada, "200 7335d417 ada@example.com", 0,
		},
		"two directives": {
			"route {\n" + access("optional") + access("audience "+other) + "}\n" + respond, ada,
			"200 7335d417 ada@example.com staff,site reliability,8", 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := team.IdentityFetches()
			answers(t, test.want, site(t, team, "", test.directives), core.TokenHeader, test.token)
			if asked := team.IdentityFetches() - before; asked != test.asked {
				t.Errorf("Access was asked %d times, want %d", asked, test.asked)
			}
		})
	}
	t.Run("Access can't be asked", func(t *testing.T) {
		team.HandleIdentity(http.NotFoundHandler())
		defer team.HandleIdentity(nil)
		answers(t, "200 7335d417 ada@example.com", site(t, team, "", access()+respond), core.TokenHeader, ada)
	})
}

// No part of Caddy sees an email header that isn't the verified one: not the program
// behind it, nor placeholders, nor the routes that handle errors.
func TestForgedEmailHeaders(t *testing.T) {
	team := newTeam(t)
	seen := func(w http.ResponseWriter, r *http.Request) {
		var emails []string
		for name, values := range r.Header {
			if core.IsEmailHeader(name) {
				emails = append(emails, name+"="+strings.Join(values, "|"))
			}
		}
		slices.Sort(emails)
		fmt.Fprint(w, strings.Join(emails, " "))
	}
	program := httptest.NewServer(http.HandlerFunc(seen))
	t.Cleanup(program.Close)
	php := serveFastCGI(t, seen)

	const placeholder = "{http.request.header." + core.EmailHeader + "}"
	const verified = core.EmailHeader + "=ada@example.com"
	ada, robot := team.SignUser(audience, "ada@example.com"), team.SignService(audience, "robot.access")
	for name, test := range map[string]struct {
		upstream, directives, token, want string
	}{
		"reverse_proxy, person":    {program.Listener.Addr().String(), access() + "reverse_proxy x", ada, "200 " + verified},
		"reverse_proxy, service":   {program.Listener.Addr().String(), access() + "reverse_proxy x", robot, "200 "},
		"reverse_proxy, anonymous": {program.Listener.Addr().String(), access("optional") + "reverse_proxy x", "", "200 "},
		"reverse_proxy, skipped":   {program.Listener.Addr().String(), access("skip /") + "reverse_proxy x", "", "200 "},
		"PHP, person":              {php, access() + "reverse_proxy x {\ntransport fastcgi\n}", ada, "200 " + verified},
		"PHP, service":             {php, access() + "reverse_proxy x {\ntransport fastcgi\n}", robot, "200 "},
		"PHP, skipped":             {php, access("skip /") + "reverse_proxy x {\ntransport fastcgi\n}", "", "200 "},
		"placeholder, person":      {"", access() + "respond " + placeholder, ada, "200 ada@example.com"},
		"placeholder, service":     {"", access() + "respond " + placeholder, robot, "200 "},
		"placeholder, skipped":     {"", access("skip /") + "respond " + placeholder, "", "200 "},
		"handle_errors":            {program.Listener.Addr().String(), access() + "error 500\nhandle_errors {\nreverse_proxy x\n}", robot, "200 "},
	} {
		for _, spelling := range []string{
			"Cf-Access-Authenticated-User-Email", "Cf_Access_Authenticated_User_Email", "cf-access_AUTHENTICATED-user-email", "CF_ACCESS-AUTHENTICATED_USER_EMAIL",
		} {
			t.Run(name+", "+spelling, func(t *testing.T) {
				fields := []string{spelling, "forged@example.com", "Connection", core.EmailHeader}
				answers(t, test.want, site(t, team, test.upstream, test.directives), append(fields, core.TokenHeader, test.token)...)
			})
		}
	}
}

// serveFastCGI returns the address of a FastCGI server, as PHP-FPM is one. It makes
// header fields of variables such as HTTP_CF_ACCESS_AUTHENTICATED_USER_EMAIL.
func serveFastCGI(t *testing.T, handler http.HandlerFunc) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = fcgi.Serve(listener, handler) // until the listener is closed
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return listener.Addr().String()
}
