package dev

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

func TestLoginPage(t *testing.T) {
	r := start(t, Options{}, everything)
	for name, path := range map[string]string{
		"as it is linked": "/cdn-cgi/access/login/x?kid=y&redirect_url=%2F", "without a host": "/cdn-cgi/access/login",
	} {
		t.Run(name, func(t *testing.T) {
			response, body := r.get(path)
			if response.StatusCode != http.StatusOK || !strings.Contains(body, "This is not Cloudflare") {
				t.Fatalf("%s\n%s", response.Status, body)
			}
			policy := response.Header.Get("Content-Security-Policy")
			_, nonce, _ := strings.Cut(policy, "style-src 'nonce-")
			nonce, _, _ = strings.Cut(nonce, "'")
			if nonce == "" || !strings.Contains(body, `<style nonce="`+nonce+`">`) {
				t.Errorf("the style has not the nonce of the policy: %s", policy)
			}
			if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(body, "<script") {
				t.Errorf("the policy is %s", policy)
			}
			for field, want := range map[string]string{"Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8"} {
				if got := response.Header.Get(field); got != want {
					t.Errorf("%s is %q, want %q", field, got, want)
				}
			}
			if !strings.Contains(body, `name="email" value="ada@example.com"`) {
				t.Error("ada has no button")
			}
		})
	}
}

// What a form becomes in the token and in the identity.
func TestLogins(t *testing.T) {
	r := start(t, Options{}, everything)
	type object = map[string]any
	groups := []any{"engineering", object{"id": "7", "name": "admins"}}
	for name, test := range map[string]struct {
		fields      []string
		name, email string
		country     string
		custom      map[string]any
		groups      []any
		session     time.Duration
	}{
		"a person's button":       {[]string{"email", "ada@example.com"}, "Ada", "ada@example.com", "GB", object{"department": "research"}, groups, 24 * time.Hour},
		"in other case":           {[]string{"email", "Ada@Example.com"}, "Ada", "ada@example.com", "GB", object{"department": "research"}, groups, 24 * time.Hour},
		"any email":               {[]string{"email", " eve@example.com "}, "eve", "eve@example.com", "US", nil, []any{}, 24 * time.Hour},
		"everything of one's own": {[]string{"email", "eve@example.com", "groups", "a, b c", "country", "fr", "custom", `{"x":[1]}`, "session", "90s"}, "eve", "eve@example.com", "FR", object{"x": []any{1.0}}, []any{"a", "b c"}, 90 * time.Second},
		"the form over the file":  {[]string{"email", "ada@example.com", "groups", "sales", "custom", `{}`}, "Ada", "ada@example.com", "GB", object{}, []any{"sales"}, 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := r.post(0, append(test.fields, "redirect_url", "/a//b?c=d%20e&f=%2F")...)
			if response.StatusCode != http.StatusSeeOther || response.Header.Get("Location") != "/a//b?c=d%20e&f=%2F" {
				t.Fatalf("%s to %q\n%s", response.Status, response.Header.Get("Location"), body)
			}
			for _, cookie := range response.Cookies() {
				if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.MaxAge != int(test.session.Seconds()) {
					t.Errorf("cookie %s: %s", cookie.Name, strings.ReplaceAll(cookie.String(), cookie.Value, "…"))
				}
			}
			claims, err := r.claimsOf(response.Cookies()[0].Value)
			if err != nil {
				t.Fatal(err)
			}
			if claims.Email != test.email || claims.Country != test.country || !reflect.DeepEqual(claims.Custom, test.custom) {
				t.Errorf("email %q, country %q, custom %v", claims.Email, claims.Country, claims.Custom)
			}
			if got := claims.ExpiresAt.Sub(claims.IssuedAt.Time); got != test.session {
				t.Errorf("it lasts %v, want %v", got, test.session)
			}
			_, body = r.get("/cdn-cgi/access/get-identity")
			var identity struct {
				Name, Email string
				Groups      []any
			}
			if err := json.Unmarshal([]byte(body), &identity); err != nil || identity.Email != test.email || identity.Name != test.name {
				t.Errorf("identity %s, %v", body, err)
			}
			if !reflect.DeepEqual(identity.Groups, test.groups) {
				t.Errorf("groups %v, want %v", identity.Groups, test.groups)
			}
			if strings.Contains(r.log.String(), claims.Token()) {
				t.Error("the token is in the log")
			}
		})
	}
}

func TestFormsThatAreRefused(t *testing.T) {
	r := start(t, Options{}, everything)
	for name, test := range map[string]struct {
		fields []string
		text   string
	}{
		"no email":               {nil, "email is not an address"},
		"a name with the email":  {[]string{"email", "Eve <eve@example.com>"}, "email is not an address"},
		"a country":              {[]string{"email", "eve@example.com", "country", "France"}, "country is not two letters"},
		"custom that is a list":  {[]string{"email", "eve@example.com", "custom", "[1]"}, "not a JSON object"},
		"custom that is null":    {[]string{"email", "eve@example.com", "custom", "null"}, "not a JSON object"},
		"custom that is long":    {[]string{"email", "eve@example.com", "custom", `{"x":"` + strings.Repeat("y", 2000) + `"}`}, "more than 2000 bytes"},
		"a session of a number":  {[]string{"email", "eve@example.com", "session", "8"}, "session is not a duration"},
		"a session that is over": {[]string{"email", "eve@example.com", "session", "-1h"}, "session is not a duration"},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := r.post(0, append(test.fields, "groups", `<"kept">`)...)
			if response.StatusCode != http.StatusBadRequest || !strings.Contains(html.UnescapeString(body), test.text) {
				t.Errorf("%s, want %q in\n%s", response.Status, test.text, body)
			}
			if !strings.Contains(body, `value="&lt;&#34;kept&#34;&gt;"`) {
				t.Error("what was typed is lost, or not escaped")
			}
			if len(response.Cookies()) > 0 {
				t.Error("it sets a cookie")
			}
		})
	}
}

func TestRedirectsStayOnTheOrigin(t *testing.T) {
	r := start(t, Options{}, "")
	for target, isLocal := range map[string]bool{
		"": true, "/": true, "/a?b=http://evil.example": true, `/a?b=\c`: true, "/a/%5C/b": true, "/%2Fevil.example": true,
		"//evil.example": false, "///evil.example": false, `/\evil.example`: false, `\\evil.example`: false, `/a/..\evil.example`: false,
		"/\t/evil.example": false, "/\n/evil.example": false, "\t//evil.example": false, " /a": false, "/a\r\nX-Y: z": false, "/\x00": false,
		"http://evil.example": false, "https:evil.example": false, "javascript:alert(1)": false, "evil.example": false, "?a": false, ".": false,
	} {
		shown, _ := r.get("/cdn-cgi/access/login/x?redirect_url=" + url.QueryEscape(target))
		done, _ := r.post(0, "email", "ada@example.com", "redirect_url", target)
		want := [2]int{http.StatusBadRequest, http.StatusBadRequest}
		if isLocal {
			want = [2]int{http.StatusOK, http.StatusSeeOther}
		}
		if got := [2]int{shown.StatusCode, done.StatusCode}; got != want {
			t.Errorf("%q: got %d, want %d", target, got, want)
		}
		if location := done.Header.Get("Location"); isLocal && target != "" && location != target || !isLocal && location != "" {
			t.Errorf("%q: sent to %q", target, location)
		}
	}
}

func TestOtherSitesCannotLogIn(t *testing.T) {
	r := start(t, Options{}, "")
	for name, test := range map[string]struct {
		headers []string
		status  int
	}{
		"the page itself":          {[]string{"Sec-Fetch-Site", "same-origin", "Origin", r.app(0)}, 303},
		"a program":                {nil, 303},
		"another site":             {[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		"another port":             {[]string{"Sec-Fetch-Site", "same-site"}, 403},
		"an old browser's origin":  {[]string{"Origin", "http://evil.example"}, 403},
		"an origin that is hidden": {[]string{"Origin", "null"}, 403},
	} {
		headers := append(test.headers, "Content-Type", "application/x-www-form-urlencoded")
		response, _ := r.send(request(t, "POST", r.app(0)+"/cdn-cgi/access/login/x", "email=ada@example.com", headers...))
		if response.StatusCode != test.status || (len(response.Cookies()) > 0) != (test.status == 303) {
			t.Errorf("%s: %s with %d cookies, want %d", name, response.Status, len(response.Cookies()), test.status)
		}
	}
}

func TestLogoutEndsTheSession(t *testing.T) {
	r := start(t, Options{}, "")
	other := r.login(0, "email", "bob@example.com")
	token := r.login(0, "email", "ada@example.com")
	response, _ := r.get("/cdn-cgi/access/logout")
	if location := response.Header.Get("Location"); response.StatusCode != http.StatusSeeOther || location != "/" {
		t.Errorf("the logout: %s to %q", response.Status, location)
	}
	for _, cookie := range response.Cookies() {
		if cookie.MaxAge >= 0 || cookie.Value != "" {
			t.Errorf("cookie %s is kept", cookie.Name)
		}
	}
	if response, _ := r.get("/"); response.StatusCode != http.StatusFound {
		t.Errorf("the browser: %s, want the login", response.Status)
	}
	if response, _ := r.get("/", core.TokenHeader, token); response.StatusCode != http.StatusFound {
		t.Errorf("the token: %s, want the login", response.Status)
	}
	if response, body := r.get("/cdn-cgi/access/get-identity", "Cookie", "CF_Authorization="+token); response.StatusCode != http.StatusBadRequest || !strings.Contains(body, `"err"`) {
		t.Errorf("the identity: %s %s", response.Status, body)
	}
	if response, _ := r.get("/", core.TokenHeader, other); response.StatusCode != http.StatusOK {
		t.Errorf("another session: %s", response.Status)
	}
	if _, err := r.claimsOf(token); err != nil {
		t.Errorf("at the origin the token is good until it expires: %v", err)
	}
}

func TestSessionsExpire(t *testing.T) {
	r := start(t, Options{}, "")
	token := r.login(0, "email", "ada@example.com", "session", "1s")
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		response, _ := r.get("/", core.TokenHeader, token)
		if response.StatusCode == http.StatusFound {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s after five seconds", response.Status)
		}
	}
}
