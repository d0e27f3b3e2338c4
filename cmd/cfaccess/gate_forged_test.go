package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestGateTellsWhoIsAskingBehindEachProxy(t *testing.T) {
	behindEach(t, asItIs, func(t *testing.T, _ proxy, s *site) {
		for name, test := range map[string]struct {
			token, target                  string
			email, user, userEmail, groups string
		}{
			"person":        {s.team.SignUser(siteAUD, "ada@example.com"), "/", "ada@example.com", "ada@example.com", "ada@example.com", "administrators,staff"},
			"no groups":     {s.team.SignUser(siteAUD, "bob@example.com"), "/", "bob@example.com", "bob@example.com", "bob@example.com", ""},
			"service token": {s.team.SignService(siteAUD, "ci-bot"), "/reports", "", "ci-bot", "", ""},
			"nobody":        {"", "/public/x", "", "", "", ""},
		} {
			t.Run(name, func(t *testing.T) {
				header := s.send(t, request{target: test.target, header: []string{inHeader(test.token)}}).app.Header
				for name, want := range map[string]string{
					"Cf-Access-Authenticated-User-Email": test.email,
					"X-Auth-Request-User":                test.user,
					"X-Auth-Request-Email":               test.userEmail,
					"X-Auth-Request-Groups":              test.groups,
					"Remote-User":                        test.user,
					"Remote-Email":                       test.userEmail,
					"Remote-Groups":                      test.groups,
				} {
					if got := strings.Join(header[name], "|"); got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
			})
		}
	})
}

// Grafana reads the header that its recipe names.
func TestGrafanaGetsItsHeaderBehindEachProxy(t *testing.T) {
	_, section, _ := strings.Cut(recipe(t, "grafana.ini"), "\n[auth.proxy]\n")
	_, rest, _ := strings.Cut(section, "header_name = ")
	name, _, _ := strings.Cut(rest, "\n")
	behindEach(t, asItIs, func(t *testing.T, _ proxy, s *site) {
		token := s.team.SignUser(siteAUD, "ada@example.com")
		if got := s.send(t, request{header: []string{inHeader(token)}}).app.Header.Get(name); got != "ada@example.com" {
			t.Errorf("%s is %q", name, got)
		}
	})
}

// No identity header of the client reaches the application, in no spelling that
// some application takes for it. A proxy may refuse such a request.
func TestForgedIdentityHeadersAreRemovedBehindEachProxy(t *testing.T) {
	for _, families := range []string{"", "[cf-access]", "[remote]"} {
		t.Run(families, func(t *testing.T) { testForgedIdentityHeaders(t, families) })
	}
}

func testForgedIdentityHeaders(t *testing.T, families string) {
	behindEach(t, func(s *site) { s.families = families }, func(t *testing.T, p proxy, s *site) {
		person, service := inHeader(s.team.SignUser(siteAUD, "ada@example.com")), inHeader(s.team.SignService(siteAUD, "ci-bot"))
		for _, name := range []string{
			"Cf-Access-Authenticated-User-Email",
			"X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups",
			"X-Auth-Request-Preferred-Username", "X-Auth-Request-Access-Token",
			"Remote-User", "Remote-Email", "Remote-Groups", "Remote-Name",
		} {
			first, last := strings.Index(name, "-"), strings.LastIndex(name, "-")
			for _, spelling := range []string{
				name,
				strings.ToLower(name),
				strings.ToUpper(name),
				strings.ReplaceAll(name, "-", "_"),
				strings.ToUpper(strings.ReplaceAll(name, "-", "_")),
				name[:first] + "_" + name[first+1:],
				name[:last] + "_" + name[last+1:],
				name + " ",
				name + "\t",
				strings.ReplaceAll(name, "-", "."), // PHP reads it as _
			} {
				if strings.HasPrefix(p.name, "envoy") && strings.Contains(spelling, ".") {
					continue // docs/gate.md says so
				}
				t.Run(fmt.Sprintf("%q", spelling), func(t *testing.T) {
					forged := spelling + ": forged@example.com"
					for what, r := range map[string]request{
						"person":               {header: []string{person, forged}},
						"twice":                {header: []string{forged, person, forged}},
						"in Connection":        {header: []string{person, forged, "Connection: close, " + spelling}},
						"service token":        {target: "/reports", header: []string{service, forged}},
						"nobody":               {target: "/public/x", header: []string{forged}},
						"nobody, stale cookie": {target: "/public/x", header: []string{forged, inCookie("stale")}},
					} {
						got := s.send(t, r)
						if strings.Contains(got.reached, "forged") {
							t.Errorf("%s: the application received %q", what, got.reached)
						}
						if got.status != 200 && got.status != 400 && got.status != 502 || got.status == 200 && got.reached == "" {
							t.Errorf("%s: status %d, and the application received %q", what, got.status, got.reached)
						}
						if email := got.app.Header.Values("Cf-Access-Authenticated-User-Email"); what == "person" && got.status == 200 && families != "[remote]" &&
							(len(email) != 1 || email[0] != "ada@example.com") {
							t.Errorf("the application got the emails %q", email)
						}
					}
				})
			}
		}
	})
}

// bob may read all but /admin, and nobody may read more than /public. A path that
// the application may take for a protected one doesn't reach it.
func TestPathTricksAreRefusedBehindEachProxy(t *testing.T) {
	behindEach(t, asItIs, func(t *testing.T, _ proxy, s *site) {
		bob := inHeader(s.team.SignUser(siteAUD, "bob@example.com"))
		for _, test := range []struct {
			header  []string
			targets []string
		}{
			{nil, []string{
				"/public/../secret", "/public/..", "/public/%2e%2e/secret", "/public/.%2E/secret", "/public/..%2fsecret",
				"/public%2f..%2fsecret", "/public/..;/secret", "/public;/../secret", `/public\..\secret`, "/public/..%5csecret",
				"/public/%252e%252e/secret", "/public/%00/../../secret", "/public/x/../../secret", "//public/../secret",
				"/publi%63/../secret", "/public/..\x5csecret", "/public/\xc0\xae\xc0\xae/secret", "/public/..\x80/secret",
				"http://" + siteHost + "/public/../secret", "/public#/../secret", "/secret#/public",
				"/secret?/public", "/healthz/..", "/healthz%3f", "/healthz/", "/healthz;x",
			}},
			{[]string{bob}, []string{
				"/%61dmin", "/%41dmin/../admin", "//admin", "///admin", "/./admin", "/x/../admin", "/admin/.", "/admin;x", "/;/admin",
				"/.;/admin", "/%2fadmin", "/%5cadmin", `/\admin`, `\admin`, "/admin%2fusers", "/admin%00", "/admin\x80", "/\xe0admin",
				"/%2e/admin", "/admin%3b", "http://" + siteHost + "/admin", "http://" + siteHost + "//admin",
				"/public/../admin", "/%2561dmin/../admin", "/admin/%2e%2e/admin",
			}},
		} {
			for _, target := range test.targets {
				t.Run(fmt.Sprintf("%q", target), func(t *testing.T) {
					got := s.send(t, request{target: target, header: test.header})
					if got.status < 400 || got.status > 499 || got.reached != "" {
						t.Errorf("status %d, and the application received %q", got.status, got.reached)
					}
				})
			}
		}
	})
}

// Some proxies escape a fragment before they ask the gate. The application then gets
// the path that the gate has checked.
func TestAFragmentIsRefusedOrEscapedBehindEachProxy(t *testing.T) {
	behindEach(t, asItIs, func(t *testing.T, _ proxy, s *site) {
		bob := inHeader(s.team.SignUser(siteAUD, "bob@example.com"))
		for target, r := range map[string]request{
			"/public/..#/secret": {},
			"/admin#x":           {header: []string{bob}},
			"/public#/secret":    {},
		} {
			r.target = target
			got := s.send(t, r)
			if isRefused := got.status >= 400 && got.status <= 499 && got.reached == ""; !isRefused && got.app.URI != strings.ReplaceAll(target, "#", "%23") {
				t.Errorf("%s: status %d, and the application received %q", target, got.status, got.reached)
			}
		}
	})
}

func TestRequestsArriveWholeBehindEachProxy(t *testing.T) {
	behindEach(t, asItIs, func(t *testing.T, p proxy, s *site) {
		token := s.team.SignUser(siteAUD, "ada@example.com")
		t.Run("path and query", func(t *testing.T) {
			target := "/wiki/a%20b%3Ac/%C3%A9?q=a%2fb;c&../x=%zz"
			if p.name == "traefik" { // it makes & of ; in queries
				target = "/wiki/a%20b%3Ac/%C3%A9?q=a%2fb&c&../x=%zz"
			}
			if got := s.send(t, request{target: target, header: []string{inHeader(token)}}); got.app.URI != target || got.app.Host != siteHost {
				t.Errorf("the application got %q of %q", got.app.URI, got.app.Host)
			}
		})
		t.Run("body", func(t *testing.T) {
			body := strings.Repeat("0123456789abcdef", 1<<14)
			got := s.send(t, request{method: "PUT", header: []string{inHeader(token), fmt.Sprint("Content-Length: ", len(body))}, body: body})
			if got.app.Method != "PUT" || got.app.Body != body {
				t.Errorf("the application got %s with %d bytes", got.app.Method, len(got.app.Body))
			}
		})
		t.Run("chunked body", func(t *testing.T) {
			got := s.send(t, request{method: "POST", header: []string{inHeader(token), "Transfer-Encoding: chunked"}, body: "5\r\nhello\r\n0\r\n\r\n"})
			if got.app.Body != "hello" {
				t.Errorf("the application got %q", got.app.Body)
			}
		})
		t.Run("32 KB of headers", func(t *testing.T) {
			large := "Cookie: theme=dark; big=" + strings.Repeat("x", 24<<10) + "; CF_Authorization=" + token
			got := s.send(t, request{header: []string{inHeader(token), large, "X-Large: " + strings.Repeat("y", 7<<10)}})
			if got.status != 200 || len(got.app.Header.Get("X-Large")) != 7<<10 {
				t.Errorf("status %d, and the application got %d headers", got.status, len(got.app.Header))
			}
		})
	})
}

// The application's own cookies stay as they are.
func TestOnlyTheTokenIsRemovedFromCookiesBehindEachProxy(t *testing.T) {
	behindEach(t, asItIs, func(t *testing.T, p proxy, s *site) {
		if p.keepsCookie {
			t.Skip("docs/gate.md says that this recipe keeps the cookie")
		}
		token := s.team.SignUser(siteAUD, "ada@example.com")
		for cookies, want := range map[string]string{
			"CF_Authorization=T":                                                   "",
			"CF_Authorization=T; a=1; b=2":                                         "a=1; b=2",
			"a=1; CF_Authorization=T; b=2":                                         "a=1; b=2",
			"a=1; b=2; CF_Authorization=T":                                         "a=1; b=2",
			"CF_Authorization=T; CF_Authorization=T; a=1":                          "a=1",
			"a=1;CF_Authorization=T;CF_Authorization=T":                            "a=1",
			"CF_Authorization=T; a=1; CF_Authorization=T; b=2; CF_Authorization=T": "a=1; b=2",
			"a=CF_Authorization; XCF_Authorization=1; CF_AuthorizationX=2":         "a=CF_Authorization; XCF_Authorization=1; CF_AuthorizationX=2",
			`a="x y"; CF_Authorization =T; b="{}"`:                                 `a="x y"; b="{}"`,
		} {
			t.Run(cookies, func(t *testing.T) {
				got := s.send(t, request{header: []string{inHeader(token), "Cookie: " + strings.ReplaceAll(cookies, "T", token)}})
				if strings.Contains(got.reached, token) {
					t.Errorf("the application received %q", got.reached)
				}
				if got := strings.Join(got.app.Header.Values("Cookie"), "|"); got != want {
					t.Errorf("the application got the cookies %q, want %q", got, want)
				}
			})
		}
	})
}

// A proxy removes what Connection names (RFC 9110, section 7.6.1), and must not
// remove what the gate has set.
func TestClientCannotRemoveIdentityBehindEachProxy(t *testing.T) {
	behindEach(t, asItIs, func(t *testing.T, _ proxy, s *site) {
		got := s.send(t, request{header: []string{
			inHeader(s.team.SignUser(siteAUD, "ada@example.com")),
			"Connection: Cf-Access-Authenticated-User-Email, X-Auth-Request-User, Remote-User, close",
		}}).app.Header
		for _, name := range []string{"Cf-Access-Authenticated-User-Email", "X-Auth-Request-User", "Remote-User"} {
			if got.Get(name) != "ada@example.com" {
				t.Errorf("%s is %q", name, got[name])
			}
		}
	})
}

func TestWebSocketsPassBehindEachProxy(t *testing.T) {
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	behindEach(t, asItIs, func(t *testing.T, p proxy, s *site) {
		connection, reader := s.open(t, request{target: "/live", header: append(upgrade, inHeader(s.team.SignUser(siteAUD, "ada@example.com")))})
		defer connection.Close()
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("status %d", response.StatusCode)
		}
		if _, err := io.WriteString(connection, "hello\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := reader.ReadString('\n'); line != "hello\n" || err != nil {
			t.Errorf("the application sent %q: %v", line, err)
		}

		// After an upgrade to h2c, other requests would follow without a check.
		for _, protocol := range []string{"h2c", "h2c, websocket", "TLS/1.0", "h2c\r\nUpgrade: websocket", "websocket\r\nUpgrade: h2c"} {
			header := []string{"Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__", "Upgrade: " + protocol}
			got := s.send(t, request{target: "/public/x", header: header}).app.Header
			isWebSocket := slices.Equal(got["Upgrade"], []string{"websocket"})
			if !strings.HasPrefix(p.name, "traefik") && (got["Upgrade"] != nil && !isWebSocket || got["Http2-Settings"] != nil) {
				t.Errorf("%q: the application is asked to upgrade to %q", protocol, got["Upgrade"])
			}
		}

		refused, reader := s.open(t, request{target: "/live", header: upgrade})
		defer refused.Close()
		response, err = http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusUnauthorized || s.app.take() != "" {
			t.Errorf("status %d without a token", response.StatusCode)
		}
	})
}
