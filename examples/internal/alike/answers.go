package alike

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// Own are the statuses in which the routers differ, as they answer somebody
// who is signed in and no administrator. None of them may let her in.
type Own struct {
	EscapedLetter int // GET /%61dmin/: is that /admin/?
	EscapedSlash  int // GET /admin%2Fusers: is that below /admin/?
	DoubleSlash   int // GET //admin/: a page, nothing, or a redirect?
	RareMethod    int // PROPFIND /admin/: is it below Require?
}

// Answers sends the program every request of the list.
func Answers(t *testing.T, run Program, own Own) {
	team := newTeam(t)
	url := start(t, run, configOf(team), adminDomain)
	ada := http.Header{core.TokenHeader: {team.SignUser(audience, "ada@example.com")}}
	eve := http.Header{core.TokenHeader: {team.SignUser(audience, "eve@elsewhere.example")}}

	for _, row := range paths() {
		for name, test := range map[string]struct {
			header http.Header
			want   answer
		}{
			"nobody": {nil, row.nobody}, "eve": {eve, row.eve}, "ada": {ada, row.ada},
		} {
			t.Run(row.request+" "+name, func(t *testing.T) {
				method, path, _ := strings.Cut(row.request, " ")
				expect(t, method, url+path, test.header, test.want)
			})
		}
	}
	for name, caller := range callers(team) {
		t.Run(name, func(t *testing.T) { expect(t, http.MethodGet, url+"/", caller.header, caller.want) })
	}
	for request, status := range map[string]int{
		"GET /%61dmin/":      own.EscapedLetter,
		"GET /admin%2Fusers": own.EscapedSlash,
		"GET //admin/":       own.DoubleSlash,
		"PROPFIND /admin/":   own.RareMethod,
	} {
		t.Run(request, func(t *testing.T) {
			method, path, _ := strings.Cut(request, " ")
			got, err := send(method, url+path, eve)
			if err != nil || got.status != status || status < 300 {
				t.Errorf("got %v, %v, want %d and no entry", got, err, status)
			}
		})
	}
	t.Run("admin without a domain", func(t *testing.T) {
		url := start(t, run, configOf(team), "")
		bot := http.Header{core.TokenHeader: {team.SignService(audience, "ci-bot.access")}}
		expect(t, http.MethodGet, url+"/admin/", ada, refused(core.ErrForbidden))
		expect(t, http.MethodGet, url+"/admin/", bot, refused(core.ErrForbidden))
	})
}

// A row is a request, and what each of three callers gets for it: one without
// a token, a person, and an administrator.
type row struct {
	request          string
	nobody, eve, ada answer
}

func paths() []row {
	var (
		unknown   = refused(core.ErrNoToken)
		forbidden = refused(core.ErrForbidden)
		ok        = text(200, "ok\n")
		isEve     = text(200, "You are eve@elsewhere.example.\n")
		isAda     = text(200, "You are ada@example.com.\n")
		admin     = text(200, "You are an administrator.\n")
		notFound  = text(404, "404 page not found\n")
	)
	return []row{
		{"GET /healthz", ok, ok, ok},
		{"GET /healthz?verbose", ok, ok, ok},
		{"GET /healthz/", unknown, notFound, notFound},
		{"GET /HEALTHZ", unknown, notFound, notFound},
		{"GET /healthz/x", unknown, notFound, notFound},
		{"POST /healthz", unknown, notFound, notFound},
		{"OPTIONS /healthz", unknown, notFound, notFound},

		{"GET /", unknown, isEve, isAda},
		{"GET /?next=/healthz", unknown, isEve, isAda},
		{"POST /", unknown, notFound, notFound},
		{"OPTIONS /", unknown, notFound, notFound},
		{"GET /nothing", unknown, notFound, notFound},
		{"GET /nothing/", unknown, notFound, notFound},
		{"DELETE /nothing", unknown, notFound, notFound},

		{"GET /admin", unknown, forbidden, admin},
		{"GET /admin/", unknown, forbidden, admin},
		{"GET /admin/users", unknown, forbidden, admin},
		{"GET /admin/users/", unknown, forbidden, admin},
		{"POST /admin", unknown, forbidden, admin},
		{"POST /admin/", unknown, forbidden, admin},
		{"DELETE /admin/users", unknown, forbidden, admin},
		{"OPTIONS /admin/", unknown, forbidden, admin},
		{"GET /administrator", unknown, notFound, notFound},
		{"GET /ADMIN/", unknown, notFound, notFound},
	}
}

// A caller brings something to GET /.
type caller struct {
	header http.Header
	want   answer
}

func callers(team *accesstest.Team) map[string]caller {
	const ada = "ada@example.com"
	var (
		isAda  = text(200, "You are ada@example.com.\n")
		token  = team.SignUser(audience, ada)
		large  = team.SignUser(audience, ada, accesstest.WithClaim("custom", map[string]string{"groups": strings.Repeat("x", 2400)}))
		old    = team.SignUser(audience, ada, accesstest.WithExpiry(time.Now().Add(-time.Hour)))
		forged = team.SignUser(audience, ada, accesstest.SignedByStranger())
		bot    = team.SignService(audience, "ci-bot.access")
	)
	cookie := func(token string) string { return core.TokenCookie + "=" + token }
	return map[string]caller{
		"service":              {http.Header{core.TokenHeader: {bot}}, text(200, "You are the service ci-bot.access.\n")},
		"cookie":               {http.Header{"Cookie": {"theme=dark; " + cookie(token)}}, isAda},
		"header and cookie":    {http.Header{core.TokenHeader: {token}, "Cookie": {cookie(token)}}, isAda},
		"large, twice":         {http.Header{core.TokenHeader: {large}, "Cookie": {cookie(large)}}, isAda},
		"expired":              {http.Header{core.TokenHeader: {old}}, refused(core.ErrExpired)},
		"stranger's signature": {http.Header{core.TokenHeader: {forged}}, refused(core.ErrSignature)},
		"no good cookie helps": {http.Header{core.TokenHeader: {forged}, "Cookie": {cookie(token)}}, refused(core.ErrSignature)},
		"two headers":          {http.Header{core.TokenHeader: {token, token}}, refused(core.ErrMalformed)},
		"empty header":         {http.Header{core.TokenHeader: {""}}, refused(core.ErrMalformed)},
		"email, unsigned":      {http.Header{core.EmailHeader: {ada}}, refused(core.ErrNoToken)},
	}
}

// answer is what a client sees of a response.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) String() string {
	return fmt.Sprintf("%d %q", a.status, a.body)
}

func text(status int, body string) answer {
	return answer{status, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, body}
}

func refused(class error) answer {
	refusal := core.Refuse(class)
	header := refusal.Header()
	if refusal.Challenge != "" {
		header.Set("WWW-Authenticate", strings.Replace(refusal.Challenge, "Cloudflare Access", "https://acme.cloudflareaccess.com", 1))
	}
	return answer{refusal.Status, header, string(refusal.Body())}
}

// expect sends a request and compares the answer. A GET is sent as a HEAD too.
func expect(t *testing.T, method, url string, header http.Header, want answer) {
	t.Helper()
	got, err := send(method, url, header)
	if err != nil {
		t.Fatal(err)
	}
	if got.status != want.status || got.body != want.body {
		t.Errorf("%s: got %v, want %v", method, got, want)
	}
	for _, name := range []string{"Content-Type", "Cache-Control", "WWW-Authenticate", "Allow", "Location"} {
		// What differs in case alone, the charset, means the same.
		if !strings.EqualFold(got.header.Get(name), want.header.Get(name)) {
			t.Errorf("%s: %s is %q, want %q", method, name, got.header.Get(name), want.header.Get(name))
		}
	}
	if method == http.MethodGet {
		want.body = ""
		expect(t, http.MethodHead, url, header, want)
	}
}
