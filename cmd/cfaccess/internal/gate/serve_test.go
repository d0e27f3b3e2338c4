package gate

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

var endpoints = []string{"nginx", "traefik", "caddy", "envoy"}

func TestDecisions(t *testing.T) {
	team := newTeam(t)
	team.SetGroups("ada@example.com", "administrators")
	ada, bob := team.SignUser(aud, "ada@example.com"), team.SignUser(aud, "bob@example.org")
	bot, foreign := team.SignService(aud, "ci-bot"), team.SignUser(otherAud, "ada@example.com")
	expired := team.SignUser(aud, "ada@example.com", accesstest.WithExpiry(time.Now().Add(-time.Hour)))
	g, _ := newGate(t, configuration(team, ""))
	for name, row := range map[string]struct {
		method, host, target string // "": GET, wiki.example.com, /page
		header               http.Header
		want                 int
	}{
		"no token":                               {want: 401},
		"a good header":                          {header: withToken(ada), want: 200},
		"a good cookie":                          {header: withCookie(ada), want: 200},
		"an expired header":                      {header: withToken(expired), want: 401},
		"a forged token":                         {header: withToken(team.SignUser(aud, "ada@example.com", accesstest.SignedByStranger())), want: 401},
		"a bad header isn't rescued":             {header: http.Header{core.TokenHeader: {expired}, "Cookie": withCookie(ada)["Cookie"]}, want: 401},
		"the token of another application":       {header: withToken(foreign), want: 401},
		"that one at its own host":               {host: "other.example.com", header: withToken(foreign), want: 200},
		"cookies of two applications":            {header: http.Header{"Cookie": {"CF_Authorization=" + foreign + "; CF_Authorization=" + ada}}, want: 200},
		"a service token":                        {header: withToken(bot), want: 200},
		"a service token that the rule wants":    {method: "POST", target: "/api/x", header: withToken(bot), want: 200},
		"a person where it wants a service":      {method: "POST", target: "/api/x", header: withToken(ada), want: 403},
		"another method than the rule's":         {method: "GET", target: "/api/x", header: withToken(ada), want: 200},
		"a member of the group":                  {target: "/admin/x?a=b", header: withToken(ada), want: 200},
		"a refused group":                        {target: "/admin", header: withToken(bob), want: 403},
		"a refused group in another case":        {target: "/Admin/x", header: withToken(bob), want: 403},
		"a prefix is of whole segments":          {target: "/administrator", header: withToken(bob), want: 200},
		"the first rule decides":                 {target: "/admin/open", header: withToken(team.SignUser(aud, "eve@example.com")), want: 200},
		"an exact path":                          {target: "/bob", header: withToken(ada), want: 403},
		"an exact path with a slash behind it":   {target: "/bob/", header: withToken(ada), want: 403},
		"the rule's method in another case":      {method: "post", target: "/api/x", header: withToken(ada), want: 403},
		"a public path's method in another case": {method: "get", target: "/healthz", want: 401},
		"a public path with a slash behind it":   {target: "/healthz/", want: 401},
		"an exact path isn't a prefix":           {target: "/bob/x", header: withToken(ada), want: 200},
		"a public path":                          {target: "/healthz?x", want: 200},
		"a public path with HEAD":                {method: "HEAD", target: "/healthz", want: 200},
		"a public path with another method":      {method: "POST", target: "/healthz", want: 401},
		"below a public path":                    {target: "/healthz/x", want: 401},
		"a public path in another case":          {target: "/HEALTHZ", want: 401},
		"a public prefix with a bad token":       {target: "/static/x", header: withToken(expired), want: 200},
		"beside a public prefix":                 {target: "/staticx", want: 401},
		"out of a public prefix":                 {target: "/static/../admin", header: withToken(ada), want: 403},
		"out of a public prefix, escaped slash":  {target: "/static/..%2fadmin", want: 403},
		"an escaped letter":                      {target: "/%61dmin", header: withToken(ada), want: 403},
		"a double slash":                         {target: "//admin", header: withToken(ada), want: 403},
		"a parameter":                            {target: "/static;/admin", want: 403},
		"path tricks where no rule is":           {host: "other.example.com", target: "//x/../y", header: withToken(foreign), want: 200},
		"an unknown host":                        {host: "example.com", header: withToken(ada), want: 403},
		"a host's port":                          {host: "wiki.example.com:8443", header: withToken(ada), want: 200},
		"a host's port that isn't a number":      {host: "wiki.example.com:a", header: withToken(ada), want: 403},
		"a host in upper case":                   {host: "WIKI.example.com", header: withToken(ada), want: 200},
	} {
		for _, endpoint := range endpoints {
			t.Run(name+"/"+endpoint, func(t *testing.T) {
				w := ask(g, endpoint, cmp.Or(row.method, "GET"), cmp.Or(row.host, "wiki.example.com"), cmp.Or(row.target, "/page"), row.header)
				if w.Code != row.want {
					t.Errorf("status %d, want %d: %s", w.Code, row.want, w.Body)
				}
				if w.Header().Get("Cache-Control") != "no-store" {
					t.Error("a cache may keep the answer")
				}
				if w.Code == 401 && w.Header().Get("WWW-Authenticate") == "" {
					t.Error("no WWW-Authenticate")
				}
				if isHead := endpoint == "envoy" && row.method == "HEAD"; w.Code != 200 && !isHead && !strings.Contains(w.Body.String(), `"code"`) {
					t.Errorf("body %q, want a problem document", w.Body)
				}
			})
		}
	}
}

func TestOriginalRequestIsInOneHeaderEach(t *testing.T) {
	team := newTeam(t)
	g, log := newGate(t, configuration(team, ""))
	for endpoint, prefix := range map[string]string{"nginx": "X-Original-", "traefik": "X-Forwarded-", "caddy": "X-Forwarded-"} {
		for _, field := range []string{"Method", "Host", "Uri"} {
			for what, values := range map[string][]string{"missing": nil, "empty": {""}, "twice": {"GET", "GET"}} {
				header := withToken(team.SignUser(aud, "ada@example.com"))
				header[prefix+field] = values
				if w := ask(g, endpoint, "GET", "wiki.example.com", "/", header); w.Code != 403 {
					t.Errorf("%s, %s %s: status %d, want 403", endpoint, field, what, w.Code)
				}
			}
		}
	}
	if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "reason=proxy_misconfigured") {
		t.Errorf("the log doesn't say it:\n%s", log)
	}
}

func TestUnavailableIs503(t *testing.T) {
	team := newTeam(t)
	token := team.SignUser(aud, "ada@example.com")
	team.Fail(500)
	g, _ := newGate(t, configuration(team, ""))
	for _, endpoint := range endpoints {
		if w := ask(g, endpoint, "GET", "wiki.example.com", "/", withToken(token)); w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: status %d, Retry-After %q", endpoint, w.Code, w.Header().Get("Retry-After"))
		}
		if w := ask(g, endpoint, "GET", "wiki.example.com", "/static/x", nil); w.Code != 200 {
			t.Errorf("%s: public: status %d", endpoint, w.Code)
		}
	}
}

func TestIdentityHeadersOfAnAnswer(t *testing.T) {
	team := newTeam(t)
	team.SetGroups("ada@example.com", "administrators", "a,b", " c", "d\te", "", "wiki editors")
	g, _ := newGate(t, configuration(team, ""))
	for name, row := range map[string]struct {
		token, target       string
		user, email, groups string
	}{
		"a person":               {team.SignUser(aud, "ada@example.com"), "/", "ada@example.com", "ada@example.com", "administrators,wiki editors"},
		"a person without group": {team.SignUser(aud, "bob@example.com"), "/", "bob@example.com", "bob@example.com", ""},
		"a service":              {team.SignService(aud, "ci-bot"), "/", "ci-bot", "", ""},
		"a public path":          {team.SignUser(aud, "ada@example.com"), "/static/x", "", "", ""},
		"an odd email":           {team.SignUser(aud, "ada\r\n@example.com"), "/", "", "", ""},
	} {
		for _, endpoint := range endpoints {
			w := ask(g, endpoint, "GET", "wiki.example.com", row.target, withToken(row.token))
			for header, want := range map[string]string{
				"Cf-Access-Authenticated-User-Email": row.email,
				"X-Auth-Request-User":                row.user, "X-Auth-Request-Email": row.email, "X-Auth-Request-Groups": row.groups,
				"Remote-User": row.user, "Remote-Email": row.email, "Remote-Groups": row.groups,
			} {
				if got := w.Header()[header]; w.Code != 200 || len(got) != 1 || got[0] != want {
					t.Errorf("%s, %s: status %d, %s is %q, want %q", name, endpoint, w.Code, header, got, want)
				}
			}
		}
	}
}

func TestGroupsAreEmptyWithoutAnAnswer(t *testing.T) {
	team := newTeam(t)
	team.HandleIdentity(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	g, _ := newGate(t, configuration(team, ""))
	header := withToken(team.SignUser(aud, "ada@example.com"))
	if w := ask(g, "caddy", "GET", "wiki.example.com", "/", header); w.Code != 200 || w.Header().Get("Remote-Groups") != "" {
		t.Errorf("status %d, groups %q", w.Code, w.Header().Get("Remote-Groups"))
	}
	if w := ask(g, "caddy", "GET", "wiki.example.com", "/admin", header); w.Code != 503 {
		t.Errorf("status %d where a rule needs them, want 503", w.Code)
	}
}

func TestOnlyChosenFamiliesAreTold(t *testing.T) {
	team := newTeam(t)
	g, _ := newGate(t, strings.Replace(configuration(team, ""), "identity_headers: [cf-access, x-auth-request, remote]\n", "", 1))
	w := ask(g, "nginx", "GET", "wiki.example.com", "/", withToken(team.SignUser(aud, "ada@example.com")))
	if got := w.Header(); got.Get(core.EmailHeader) != "ada@example.com" || got.Get("Remote-User") != "" || got["X-Auth-Request-User"][0] != "" {
		t.Errorf("headers %v", got)
	}
	if n := team.IdentityFetches(); n != 0 {
		t.Errorf("%d identity fetches for a family without groups", n)
	}
}

func get(handler http.Handler, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
	return w
}

func TestOperations(t *testing.T) {
	team := newTeam(t)
	team.Fail(500)
	g, _ := newGate(t, configuration(team, ""))
	if w := get(g.Authorize(), "/healthz"); w.Code != 200 {
		t.Errorf("healthz: status %d", w.Code)
	}
	if w := get(g.Authorize(), "/readyz"); w.Code != 503 {
		t.Errorf("readyz without keys: status %d", w.Code)
	}
	team.Recover()
	token := team.SignUser(aud, "ada@example.com")
	for v := g.missing(); v != nil; v = g.missing() {
		if err := v.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if w := get(g.Authorize(), "/readyz"); w.Code != 200 {
		t.Errorf("readyz with keys: status %d", w.Code)
	}
	ask(g, "nginx", "GET", "wiki.example.com", "/", withToken(token))
	w := get(g.Authorize(), "/metrics")
	for _, want := range []string{
		`cfaccess_decisions_total{cfaccess_audience="` + aud + `",cfaccess_cached="false",cfaccess_outcome="allowed"} 1`,
		`cfaccess_keys_age_seconds{cfaccess_audience="` + otherAud + `"}`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
	for _, target := range []string{"/", "/auth", "/auth/", "/auth/envoyx", "/auth/nginx/x"} {
		if w := get(g.Authorize(), target); w.Code != 404 {
			t.Errorf("%s: status %d, want 404", target, w.Code)
		}
	}
}

func TestLogLines(t *testing.T) {
	team := newTeam(t)
	g, log := newGate(t, configuration(team, ""))
	token := team.SignUser(aud, "bob@example.org")
	header := withCookie(token)
	header[core.TokenHeader] = []string{token}
	for _, target := range []string{"/page?secret=1", "/admin?secret=1", "/healthz"} {
		ask(g, "caddy", "GET", "wiki.example.com", target, header)
	}
	ask(g, "caddy", "GET", "wiki.example.com", "/"+strings.Repeat("x", 9000), nil)
	got := log.String()
	for _, want := range []string{
		`outcome=allowed status=200 reason="" host=wiki.example.com method=GET path=/page duration=`, `email=bob@example.org error=<nil>`,
		`outcome=refused status=403 reason=forbidden host=wiki.example.com method=GET path=/admin duration=`, `bob@example.org: none of`,
		`outcome=public status=200 reason="" host=wiki.example.com method=GET path=/healthz`,
		`outcome=refused status=401 reason=token_missing`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the log has no %s:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "msg=decision"); n != 4 {
		t.Errorf("%d lines for 4 decisions", n)
	}
	if strings.Contains(got, "secret") || strings.Contains(got, token) || strings.Contains(got, token[len(token)-20:]) || len(got) > 4000 {
		t.Errorf("the log has a query, a token or too much:\n%s", got)
	}
}

// poll waits until a condition holds that the gate's background work makes true.
func poll(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within ten seconds", what)
		}
	}
}

func BenchmarkDecision(b *testing.B) {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	content := strings.Replace(configuration(team, ""), "identity_headers: [cf-access, x-auth-request, remote]\n", "", 1)
	g, _ := newGate(b, content)
	header, o := withToken(team.SignUser(aud, "ada@example.com")), original{"GET", "wiki.example.com", "/page"}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, refusal := g.decide(b.Context(), header, o); refusal != nil {
			b.Fatal(refusal)
		}
	}
}
