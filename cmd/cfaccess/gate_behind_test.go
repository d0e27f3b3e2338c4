package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// A request is sent as it is written, over a connection of its own.
type request struct {
	method, target, host string // GET, / and the site's, unless given
	header               []string
	body                 string
}

// An answer is a proxy's, and what the application got.
type answer struct {
	status  int
	header  http.Header
	app     received // if status is 200
	reached string   // the bytes of all that the application received
}

// send sends a request.
func (s *site) send(t *testing.T, r request) answer {
	t.Helper()
	connection, reader := s.open(t, r)
	defer connection.Close()
	response, err := http.ReadResponse(reader, &http.Request{Method: r.method})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, reached: s.app.take()}
	if a.status == http.StatusOK && r.method != http.MethodHead {
		if err := json.Unmarshal(content, &a.app); err != nil {
			t.Errorf("the answer is not the application's: %q", content)
		}
	}
	return a
}

// open sends a request and returns the connection.
func (s *site) open(t *testing.T, r request) (net.Conn, *bufio.Reader) {
	t.Helper()
	s.app.take()
	connection, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	or := func(value, otherwise string) string {
		if value == "" {
			return otherwise
		}
		return value
	}
	lines := []string{or(r.method, "GET") + " " + or(r.target, "/") + " HTTP/1.1", "Host: " + or(r.host, siteHost)}
	lines = append(lines, r.header...)
	if !slices.ContainsFunc(r.header, func(line string) bool { return strings.HasPrefix(line, "Connection:") }) {
		lines = append(lines, "Connection: close")
	}
	if _, err := io.WriteString(connection, strings.Join(lines, "\r\n")+"\r\n\r\n"+r.body); err != nil {
		t.Fatal(err)
	}
	return connection, bufio.NewReader(connection)
}

// behindEach runs a test once for each proxy.
func behindEach(t *testing.T, prepare func(*site), test func(t *testing.T, p proxy, s *site)) {
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			if _, err := exec.LookPath(p.program); p.program == "traefik" && err != nil {
				t.Skip("needs traefik, which scripts/programs.sh can't install")
			}
			if p.program != "" {
				program(t, p.program)
			}
			test(t, p, newSite(t, p, prepare))
		})
	}
}

// asItIs starts a site with the recipes unchanged.
func asItIs(*site) {}

func inHeader(token string) string { return "Cf-Access-Jwt-Assertion: " + token }
func inCookie(token string) string { return "Cookie: CF_Authorization=" + token }

func TestGateDecidesBehindEachProxy(t *testing.T) {
	behindEach(t, asItIs, func(t *testing.T, p proxy, s *site) {
		ada, bob := s.team.SignUser(siteAUD, "ada@example.com"), s.team.SignUser(siteAUD, "bob@example.com")
		bot, other := s.team.SignService(siteAUD, "ci-bot"), s.team.SignService(siteAUD, "other-bot")
		for name, test := range map[string]struct {
			request
			want int
		}{
			"no token":                        {request{}, 401},
			"token in the header":             {request{header: []string{inHeader(ada)}}, 200},
			"token in the cookie":             {request{header: []string{inCookie(ada)}}, 200},
			"good cookie after a bad one":     {request{header: []string{inCookie("x; CF_Authorization=" + ada)}}, 200},
			"bad header and good cookie":      {request{header: []string{inHeader("x"), inCookie(ada)}}, 401},
			"two token headers":               {request{header: []string{inHeader(ada), inHeader(ada)}}, 401},
			"expired":                         {request{header: []string{inHeader(s.team.SignUser(siteAUD, "ada@example.com", accesstest.WithExpiry(time.Now().Add(-time.Hour))))}}, 401},
			"another application's token":     {request{header: []string{inHeader(s.team.SignUser(strings.Repeat("ab", 32), "ada@example.com"))}}, 401},
			"forged":                          {request{header: []string{inHeader(s.team.SignUser(siteAUD, "ada@example.com", accesstest.SignedByStranger()))}}, 401},
			"person in the group":             {request{target: "/admin/users", header: []string{inHeader(ada)}}, 200},
			"person not in the group":         {request{target: "/admin/users", header: []string{inHeader(bob)}}, 403},
			"the prefix itself":               {request{target: "/admin", header: []string{inHeader(bob)}}, 403},
			"prefix and query":                {request{target: "/admin?x=/public", header: []string{inHeader(bob)}}, 403},
			"path that only begins alike":     {request{target: "/administrator", header: []string{inHeader(bob)}}, 200},
			"service token of the rule":       {request{target: "/reports/1", header: []string{inHeader(bot)}}, 200},
			"another service token":           {request{target: "/reports/1", header: []string{inHeader(other)}}, 403},
			"person named by the rule":        {request{target: "/reports/1", header: []string{inHeader(ada)}}, 200},
			"another person":                  {request{target: "/reports/1", header: []string{inHeader(bob)}}, 403},
			"service token for a group":       {request{target: "/admin", header: []string{inHeader(bot)}}, 403},
			"public path":                     {request{target: "/healthz"}, 200},
			"public path, another method":     {request{method: "DELETE", target: "/healthz"}, 401},
			"below a public path":             {request{target: "/healthz/x"}, 401},
			"public prefix":                   {request{target: "/public/logo.svg?v=1"}, 200},
			"public path with a stale cookie": {request{target: "/public/x", header: []string{inCookie("stale")}}, 200},
			"HEAD":                            {request{method: "HEAD", header: []string{inHeader(ada)}}, 200},
			"HEAD without a token":            {request{method: "HEAD"}, 401},
			"host with a port":                {request{host: siteHost + ":8080", header: []string{inHeader(ada)}}, 200},
			"host in upper case":              {request{host: strings.ToUpper(siteHost), header: []string{inHeader(ada)}}, 200},
		} {
			t.Run(name, func(t *testing.T) {
				got := s.send(t, test.request)
				if got.status != test.want {
					t.Errorf("status %d, want %d", got.status, test.want)
				}
				if reached := got.reached != ""; reached != (test.want == 200) {
					t.Errorf("the application received %q", got.reached)
				}
				if got.status == 401 && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), `Bearer realm="`+s.team.Issuer()) {
					t.Errorf("WWW-Authenticate is %q", got.header.Get("WWW-Authenticate"))
				}
				if got.status != 200 && got.header.Get("Cache-Control") != "no-store" {
					t.Errorf("Cache-Control is %q", got.header.Values("Cache-Control"))
				}
				if strings.Contains(got.reached, ada) || strings.Contains(got.reached, bot) {
					switch {
					case p.keepsCookie && strings.HasPrefix(test.header[0], "Cookie"):
						// docs/gate.md says that these recipes keep the cookie.
					default:
						t.Errorf("the application received the token: %q", got.reached)
					}
				}
			})
		}
	})
}

func TestGateRefusesAnotherHostBehindEachProxy(t *testing.T) {
	behindEach(t, asItIs, func(t *testing.T, _ proxy, s *site) {
		token := inHeader(s.team.SignUser(siteAUD, "ada@example.com"))
		for name, r := range map[string]request{
			"unknown":               {host: "blog.example.com", header: []string{token}},
			"unknown, public":       {host: "blog.example.com", target: "/public/x"},
			"address":               {host: "127.0.0.1", header: []string{token}},
			"two":                   {host: siteHost + "\r\nHost: blog.example.com", header: []string{token}},
			"absolute target":       {target: "http://blog.example.com/public/x"},
			"an X- header":          {host: "blog.example.com", target: "/public/x", header: []string{"X-Forwarded-Host: " + siteHost, "X-Original-Host: " + siteHost}},
			"an X- header's":        {header: []string{"X-Forwarded-Host: blog.example.com", "X-Original-Host: blog.example.com"}},
			"an X- header's URI":    {header: []string{"X-Forwarded-Uri: /public/x", "X-Original-URI: /public/x", "X_Original_URI: /public/x"}},
			"an X- header's method": {target: "/healthz", method: "DELETE", header: []string{"X-Forwarded-Method: GET", "X-Original-Method: GET"}},
		} {
			t.Run(name, func(t *testing.T) {
				if got := s.send(t, r); got.status < 400 || got.status > 499 || got.reached != "" {
					t.Errorf("status %d, and the application received %q", got.status, got.reached)
				}
			})
		}
	})
}

// A proxy must not turn the refusal into 500, which looks like a mistake of the
// application, and never lets a request pass.
func TestGateIsUnavailableBehindEachProxy(t *testing.T) {
	behindEach(t, func(s *site) { s.team.Fail(http.StatusBadGateway) }, func(t *testing.T, _ proxy, s *site) {
		token := inHeader(s.team.SignUser(siteAUD, "ada@example.com"))
		got := s.send(t, request{header: []string{token}})
		if got.status != 503 || got.header.Get("Retry-After") == "" || got.reached != "" {
			t.Errorf("status %d, Retry-After %q, and the application received %q", got.status, got.header.Get("Retry-After"), got.reached)
		}
		if got := s.send(t, request{target: "/public/x"}); got.status != 200 {
			t.Errorf("status %d for a public path", got.status)
		}
	})
}
