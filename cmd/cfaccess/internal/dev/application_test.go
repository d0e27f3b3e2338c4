package dev

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
)

const everything = `
people:
  - {email: ada@example.com, name: Ada, groups: [engineering, {id: "7", name: admins}], country: GB, custom: {department: research}}
services: {ci.access: s3cret, other.access: different, empty.access: ""}
applications:
  - {name: shop, upstream: "UPSTREAM", audience: ` + audience + `, bypass: [/healthz, /public/]}
  - {name: admin, upstream: "UPSTREAM", host: admin.localhost}
  - {name: example, upstream: "UPSTREAM", host: shop.example}
`

// Requests without a session, and what only looks like one.
func TestRefusals(t *testing.T) {
	r := start(t, Options{}, everything)
	stranger := start(t, Options{}, "").login(0, "email", "ada@example.com")
	host := strings.TrimPrefix(r.app(0), "http://")
	login := func(target string) string {
		return "/cdn-cgi/access/login/" + host + "?kid=" + audience + "&redirect_url=" + url.QueryEscape(target)
	}
	for name, test := range map[string]struct {
		method, path string
		headers      []string
		status       int
		location     string
	}{
		"a browser is sent to the login":         {"GET", "/a%20b?c=d&e=%2F", nil, 302, login("/a%20b?c=d&e=%2F")},
		"a form too":                             {"POST", "/", nil, 302, login("/")},
		"a WebSocket too":                        {"GET", "/ws", []string{"Connection", "Upgrade", "Upgrade", "websocket"}, 302, login("/ws")},
		"a token of another team":                {"GET", "/", []string{core.TokenHeader, stranger}, 302, login("/")},
		"a cookie of another team":               {"GET", "/", []string{"Cookie", "CF_Authorization=" + stranger}, 302, login("/")},
		"an email is nothing":                    {"GET", "/", []string{core.EmailHeader, "ada@example.com"}, 302, login("/")},
		"XMLHttpRequest":                         {"GET", "/", []string{"X-Requested-With", "XMLHttpRequest"}, 401, ""},
		"a preflight":                            {"OPTIONS", "/", []string{"Origin", "http://x", "Access-Control-Request-Method", "PUT"}, 403, ""},
		"OPTIONS that is no preflight":           {"OPTIONS", "/", nil, 302, login("/")},
		"a wrong service secret":                 {"GET", "/", []string{idHeader, "ci.access", secretHeader, "s3cre"}, 403, ""},
		"another service's secret":               {"GET", "/", []string{idHeader, "ci.access", secretHeader, "different"}, 403, ""},
		"an unknown service":                     {"GET", "/", []string{idHeader, "x.access", secretHeader, ""}, 403, ""},
		"a service without a secret":             {"GET", "/", []string{idHeader, "empty.access"}, 403, ""},
		"a service secret alone":                 {"GET", "/", []string{secretHeader, "s3cret"}, 403, ""},
		"an unknown endpoint":                    {"GET", "/cdn-cgi/access/other", nil, 404, ""},
		"an unclean endpoint":                    {"GET", "/public/../cdn-cgi/access/other", nil, 404, ""},
		"an encoded endpoint":                    {"GET", "/cdn-cgi/%61ccess/other", nil, 404, ""},
		"a path that leaves a bypassed one":      {"GET", "/public/../secret", nil, 302, login("/public/../secret")},
		"a path that leaves it encoded":          {"GET", "/public/%2e%2e/secret", nil, 302, login("/public/%2e%2e/secret")},
		"a path that comes to a bypassed one":    {"GET", "/secret/../public", nil, 302, login("/secret/../public")},
		"a path that comes to it encoded":        {"GET", "/secret/%2e%2e/public", nil, 302, login("/secret/%2e%2e/public")},
		"a path that begins like a bypassed one": {"GET", "/healthzz", nil, 302, login("/healthzz")},
		"a Host that isn't local":                {"GET", "/", []string{"Host", "evil.example"}, 421, ""},
		"a Host that isn't local, for certs":     {"GET", "/cdn-cgi/access/certs", []string{"Host", "evil.example:8000"}, 421, ""},
		"a Host that looks local":                {"GET", "/", []string{"Host", "127.0.0.1.evil.example"}, 421, ""},
		"an address that isn't loopback":         {"GET", "/", []string{"Host", "192.0.2.1"}, 421, ""},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := r.send(request(t, test.method, r.app(0)+test.path, "", test.headers...))
			if response.StatusCode != test.status || response.Header.Get("Location") != test.location {
				t.Errorf("got %s to %q, want %d to %q\n%s", response.Status, response.Header.Get("Location"), test.status, test.location, body)
			}
			if len(response.Cookies()) > 0 {
				t.Error("it sets a cookie")
			}
			if got := response.Header.Get("WWW-Authenticate"); (got == "Cloudflare-Access") != (test.status < 404) {
				t.Errorf("WWW-Authenticate is %q", got)
			}
		})
	}
}

// Whom Access lets in, and what the application learns of them.
func TestAdmissions(t *testing.T) {
	r := start(t, Options{}, everything)
	token := r.login(0, "email", "ada@example.com")
	r.jar, _ = newJar()
	for name, test := range map[string]struct {
		method, path string
		headers      []string
		email, id    string // of the claims; both empty: no token
	}{
		"a cookie":                             {"GET", "/", []string{"Cookie", "CF_Authorization=" + token}, "ada@example.com", ""},
		"the client's own header":              {"GET", "/", []string{core.TokenHeader, token}, "ada@example.com", ""},
		"a good cookie with a bad header":      {"GET", "/", []string{core.TokenHeader, "x.y.z", "Cookie", "CF_Authorization=" + token}, "ada@example.com", ""},
		"the second cookie of the name":        {"GET", "/", []string{"Cookie", "CF_Authorization=x.y.z; CF_Authorization=" + token}, "ada@example.com", ""},
		"a service token":                      {"GET", "/", []string{idHeader, "ci.access", secretHeader, "s3cret"}, "", "ci.access"},
		"a service token beside a cookie":      {"GET", "/", []string{idHeader, "ci.access", secretHeader, "s3cret", "Cookie", "CF_Authorization=" + token}, "", "ci.access"},
		"a bypassed path":                      {"GET", "/healthz", nil, "", ""},
		"below a bypassed path":                {"GET", "/public/a", nil, "", ""},
		"a bypassed folder itself":             {"GET", "/public", nil, "", ""},
		"a bypassed path with a session":       {"GET", "/healthz", []string{"Cookie", "CF_Authorization=" + token}, "", ""},
		"a bypassed path with a forged header": {"GET", "/healthz", []string{core.TokenHeader, token, core.EmailHeader, "eve@example.com"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := r.send(request(t, test.method, r.app(0)+test.path, "", test.headers...))
			got := arrived(t, response, body)
			if email := got.Header.Get(core.EmailHeader); email != test.email {
				t.Errorf("the email is %q, want %q", email, test.email)
			}
			if got.Header.Get(idHeader)+got.Header.Get(secretHeader) != "" {
				t.Error("the service token's headers arrived")
			}
			if len(response.Cookies()) > 0 {
				t.Error("it sets a cookie")
			}
			sent := got.Header.Values(core.TokenHeader)
			if test.email+test.id == "" {
				if sent != nil {
					t.Errorf("a token arrived: %q", sent)
				}
				if cookie := request(t, "GET", "http://x", "", test.headers...).Header.Get("Cookie"); got.Header.Get("Cookie") != cookie {
					t.Errorf("the cookie is %q, want it as it was", got.Header.Get("Cookie"))
				}
				return
			}
			if len(sent) != 1 {
				t.Fatalf("%d tokens arrived", len(sent))
			}
			claims, err := r.claimsOf(sent[0])
			if err != nil || claims.Email != test.email || claims.CommonName != test.id {
				t.Errorf("claims %v, %v", claims, err)
			}
			var payload struct{ Aud any }
			if err := claims.Decode(&payload); err != nil {
				t.Fatal(err)
			}
			if _, isString := payload.Aud.(string); isString != (test.id != "") {
				t.Errorf("aud is %T", payload.Aud)
			}
		})
	}
}

// Every spelling that some server reads as a header of Access.
func TestForgedHeadersDoNotArrive(t *testing.T) {
	r := start(t, Options{}, everything)
	token := r.login(0, "email", "ada@example.com")
	for _, name := range []string{
		core.EmailHeader, core.TokenHeader, idHeader + "-x", "cf-access-authenticated-user-email", "CF_ACCESS_AUTHENTICATED_USER_EMAIL",
		"Cf_Access-Authenticated_User-Email", "cf_access_jwt_assertion", "Cf.Access.Jwt.Assertion", "CF-ACCESS-JWT_ASSERTION", "cf_access_client_id", "Cf_Access_Client_Secret",
	} {
		for path, want := range map[string]string{"/": "ada@example.com", "/healthz": ""} {
			t.Run(name+path, func(t *testing.T) {
				connection, err := net.Dial("tcp", strings.TrimPrefix(r.app(0), "http://"))
				if err != nil {
					t.Fatal(err)
				}
				defer connection.Close()
				// Connection names the headers: a proxy drops what it names.
				_, err = connection.Write([]byte("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + name + ": forged\r\nCookie: a=b; CF_Authorization=" + token +
					"\r\nConnection: close, Cf-Access-Jwt-Assertion, Cf-Access-Authenticated-User-Email\r\n\r\n"))
				if err != nil {
					t.Fatal(err)
				}
				response, err := http.ReadResponse(bufio.NewReader(connection), nil)
				if err != nil {
					t.Fatal(err)
				}
				got := arrived(t, response, bodyOf(t, response))
				for field, values := range got.Header {
					if strings.HasSuffix(name, "-x") == (len(values) > 0 && values[0] == "forged") {
						continue
					}
					if values[0] == "forged" {
						t.Errorf("%s arrived", field)
					}
				}
				if email := got.Header.Get(core.EmailHeader); email != want {
					t.Errorf("the email is %q, want %q", email, want)
				}
			})
		}
	}
}

// A browser sends the cookies of all applications on the host. Only the token of
// the application itself arrives, and no trailer, which could be a forged header.
func TestOtherTokensDoNotArrive(t *testing.T) {
	r := start(t, Options{}, everything)
	token := r.login(0, "email", "ada@example.com")
	r.jar, _ = newJar()
	for name, test := range map[string]struct {
		path    string
		cookies []string
		want    []string
	}{
		"the second cookie of this application": {"/", []string{"CF_Authorization=x; CF_Authorization_" + audience + "=" + token}, []string{"CF_Authorization=" + token}},
		"that of another application":           {"/", []string{"a=b; CF_Authorization_1=x;CF_Authorization=" + token + "; c=d"}, []string{"a=b; CF_Authorization=" + token + "; c=d"}},
		"first, last and without a value":       {"/", []string{"CF_Authorization_=x; CF_Authorization=" + token + ";CF_Authorization_"}, []string{"CF_Authorization=" + token}},
		"in two fields":                         {"/", []string{"CF_Authorization=" + token, "CF_Authorization_1=x; CF_Authorization_2 =y"}, []string{"CF_Authorization=" + token}},
		"on a bypassed path":                    {"/healthz", []string{"a=b; CF_Authorization_1=x; CF_Authorization=y"}, []string{"a=b; CF_Authorization=y"}},
		"alone on a bypassed path":              {"/healthz", []string{"CF_Authorization_1=x"}, nil},
		"names that only look like it":          {"/healthz", []string{"CF_Authorizations=x; CF_=y; xCF_Authorization_=z"}, []string{"CF_Authorizations=x; CF_=y; xCF_Authorization_=z"}},
	} {
		t.Run(name, func(t *testing.T) {
			request := request(t, "POST", r.app(0)+test.path, "body")
			request.Header["Cookie"] = test.cookies
			request.ContentLength = -1
			request.Trailer = http.Header{core.EmailHeader: {"eve@example.com"}, "X-Sum": {"1"}}
			response, body := r.send(request)
			got := arrived(t, response, body)
			if !slices.Equal(got.Header["Cookie"], test.want) {
				t.Errorf("cookies %q arrived, want %q", got.Header["Cookie"], test.want)
			}
			if len(got.Trailer) > 0 {
				t.Errorf("trailers arrived: %v", got.Trailer)
			}
		})
	}
}

func TestApplicationsHaveSessionsOfTheirOwn(t *testing.T) {
	r := start(t, Options{}, `
applications:
  - {name: shop, upstream: "UPSTREAM"}
  - {name: admin, upstream: "UPSTREAM", addr: "127.0.0.1:`+portOf(freeAddr(t))+`"}
`)
	token := r.login(0, "email", "ada@example.com")
	// The browser sends the cookie to the other port as well.
	if response, _ := r.send(request(t, "GET", r.app(1)+"/", "")); response.StatusCode != http.StatusFound {
		t.Errorf("the cookie of another application: %s", response.Status)
	}
	if response, _ := r.send(request(t, "GET", r.app(1)+"/", "", core.TokenHeader, token)); response.StatusCode != http.StatusFound {
		t.Errorf("the token of another application: %s", response.Status)
	}
	r.login(1, "email", "bob@example.com")
	for i, email := range []string{"ada@example.com", "bob@example.com"} {
		response, body := r.send(request(t, "GET", r.app(i)+"/", "", "Cookie", `odd="a b"; theme=dark`))
		got := arrived(t, response, body)
		cookies := got.Header.Get("Cookie")
		if got.Header.Get(core.EmailHeader) != email {
			t.Errorf("application %d: the email is %q", i, got.Header.Get(core.EmailHeader))
		}
		if want := "CF_Authorization=" + got.Header.Get(core.TokenHeader); !strings.Contains(cookies, want) {
			t.Errorf("application %d: the cookie isn't the header's token", i)
		}
		if !strings.Contains(cookies, `odd="a b"; theme=dark`) {
			t.Errorf("application %d: other cookies changed: %s", i, cookies)
		}
	}
	// The issuer answers for all of them.
	other := r.server.Applications[1]
	for i, want := range []string{"ada@example.com", "bob@example.com"} {
		_, body := r.send(request(t, "GET", r.app(i)+"/cdn-cgi/access/get-identity", ""))
		if !strings.Contains(body, want) {
			t.Errorf("identity at application %d: %s", i, body)
		}
	}
	for _, cookie := range r.jar.Cookies(mustURL(r.app(1))) {
		if cookie.Name != ownCookie+other.Audience {
			continue
		}
		r.jar, _ = newJar()
		_, body := r.get("/cdn-cgi/access/get-identity", "Cookie", "CF_Authorization="+cookie.Value)
		if !strings.Contains(body, "bob@example.com") {
			t.Errorf("identity of another application's session at the issuer: %s", body)
		}
	}
}

func TestHosts(t *testing.T) {
	r := start(t, Options{}, everything)
	for host, want := range map[string]string{
		"localhost": "shop", "LOCALHOST:1": "shop", "127.0.0.1": "shop", "127.8.8.8:8000": "shop", "[::1]:8000": "shop", "other.localhost": "shop",
		"admin.localhost": "admin", "Admin.localhost:8000": "admin", "shop.example": "example",
	} {
		response, _ := r.get("/", "Host", host)
		kid := mustURL(response.Header.Get("Location")).Query().Get("kid")
		for _, a := range r.server.Applications {
			if (a.Audience == kid) != (a.Name == want) {
				t.Errorf("%s: application %s has %s, the login is for %s", host, a.Name, a.Audience, kid)
			}
		}
	}
}

// What an application does with the printed environment alone.
func TestKeysRotate(t *testing.T) {
	r := start(t, Options{}, "")
	token := r.login(0, "email", "ada@example.com")
	r.server.rotateKeys()
	if _, err := r.claimsOf(token); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	arrivedAt, body := r.get("/")
	arrived(t, arrivedAt, body)
	r.server.rotateKeys()
	if _, err := r.claimsOf(token); !errors.Is(err, core.ErrUnknownKey) {
		t.Errorf("after the withdrawal: %v, want %v", err, core.ErrUnknownKey)
	}
	if response, _ := r.get("/"); response.StatusCode != http.StatusFound {
		t.Errorf("after the withdrawal: %s, want the login", response.Status)
	}
	if _, err := r.claimsOf(r.login(0, "email", "ada@example.com")); err != nil {
		t.Errorf("a new login: %v", err)
	}
}
