package conformance

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// tokens tests where in a request the token is found.
func (s *suite) tokens(t *testing.T, to server) {
	good, other := s.team.SignUser(audience, ada), s.team.SignUser(audience, bob)
	forged := s.team.SignUser(audience, ada, accesstest.SignedByStranger())
	expired := s.team.SignUser(audience, ada, accesstest.WithExpiry(time.Now().Add(-time.Hour)))
	large, tooLarge := s.largeToken(7900), s.largeToken(8<<10+4)

	const (
		oneHeader   = "one of two headers is an attacker's, and either may be first: both are refused"
		emptyHeader = "an empty header counts as absent, since proxies write one where there was none"
		emptyCookie = "an empty cookie counts as absent"
		firstGood   = "of several cookies the first that verifies counts"
		twoLines    = "cookies may come in several Cookie fields, as in HTTP/2 (RFC 9113 section 8.2.3)"
	)
	table := map[string]decision{
		"header":                 {rule: "the token in " + core.TokenHeader + " counts", header: inHeader(good), caller: ada},
		"header in lower case":   {rule: "the case of a field name means nothing (RFC 9110 section 5.1)", header: http.Header{strings.ToLower(core.TokenHeader): {good}}, caller: ada},
		"header before cookie":   {rule: "a header decides alone, whatever the cookies are", header: with(inHeader(good), "Cookie", cookies(other)), caller: ada},
		"bad header, cookie":     {rule: "a good cookie never rescues a bad header", header: with(inHeader(forged), "Cookie", cookies(good)), class: core.ErrSignature},
		"two headers, bad last":  {rule: oneHeader, header: inHeader(good, forged), class: core.ErrMalformed},
		"two headers, bad first": {rule: oneHeader, header: inHeader(forged, good), class: core.ErrMalformed},
		"two good headers":       {rule: oneHeader, header: inHeader(good, other), class: core.ErrMalformed},
		"two headers, two cases": {rule: oneHeader, header: with(inHeader(good), strings.ToLower(core.TokenHeader), forged), class: core.ErrMalformed},
		"header of over 8 KiB":   {rule: "a token over 8 KiB is refused", header: inHeader(tooLarge), class: core.ErrMalformed},

		"empty header":              {rule: emptyHeader, header: inHeader(""), class: core.ErrNoToken},
		"blank header":              {rule: emptyHeader, header: inHeader(" \t "), class: core.ErrNoToken},
		"empty header, cookie":      {rule: emptyHeader, header: with(inHeader(""), "Cookie", cookies(good)), caller: ada},
		"empty header, bad cookie":  {rule: emptyHeader, header: with(inHeader(""), "Cookie", cookies(expired)), class: core.ErrExpired},
		"empty header, then a good": {rule: emptyHeader, header: inHeader("", good), caller: ada},
		"good header, then empty":   {rule: emptyHeader, header: inHeader(good, ""), caller: ada},
		"bad header, then empty":    {rule: emptyHeader, header: with(inHeader(forged, ""), "Cookie", cookies(good)), class: core.ErrSignature},
		"empty between two headers": {rule: emptyHeader, header: inHeader(good, "", other), class: core.ErrMalformed},

		"cookie":                  {rule: "without the header, the cookie " + core.TokenCookie + " counts", header: inCookie(good), caller: ada},
		"cookie among others":     {rule: "other cookies don't matter, malformed ones included", header: http.Header{"Cookie": {`theme=dark; odd; ="; ` + cookies(good) + "; session=" + forged}}, caller: ada},
		"cookie in quotes":        {rule: "a cookie's value may be quoted (RFC 6265 section 4.1.1)", header: inCookie(`"` + good + `"`), caller: ada},
		"bad cookie":              {rule: "a bad cookie is refused like a bad header", header: inCookie(forged), class: core.ErrSignature},
		"empty cookie":            {rule: emptyCookie, header: inCookie(""), class: core.ErrNoToken},
		"empty cookie, then good": {rule: emptyCookie, header: inCookie("", good), caller: ada},
		"two good cookies":        {rule: firstGood, header: inCookie(good, other), caller: ada},
		"third cookie good":       {rule: firstGood, header: inCookie(forged, expired, other), caller: bob},
		"fourth cookie good":      {rule: "four cookies are tried", header: inCookie(forged, forged, expired, good), caller: ada},
		"fifth cookie good":       {rule: "no more than four cookies are tried", header: inCookie(expired, forged, forged, forged, good), class: core.ErrExpired},
		"bad cookies":             {rule: "where no cookie verifies, the first one's error counts", header: inCookie(expired, forged), class: core.ErrExpired},
		"cookies in two fields":   {rule: twoLines, header: http.Header{"Cookie": {"theme=dark; " + cookies(forged), cookies(good)}}, caller: ada},
		"cookie in first of two":  {rule: twoLines, header: http.Header{"Cookie": {cookies(good), "theme=dark"}}, caller: ada},
		"large header and cookie": {rule: "the server accepts a token of 7.9 KB in both the header and the cookie, and the adapter's documentation says how", header: with(inHeader(large), "Cookie", cookies(large)), caller: ada},
	}
	for name, d := range table {
		d.to, d.path = to, PathWhoAmI
		table[name] = d
	}
	s.decisions(t, table)
}

// largeToken returns a good token of ada's that has size bytes, or up to three more.
func (s *suite) largeToken(size int) string {
	padded := func(n int) string {
		return s.team.SignUser(audience, ada, accesstest.WithClaim("custom", map[string]string{"groups": strings.Repeat("g", n)}))
	}
	// Base64 makes four characters of three bytes.
	n := (size - len(padded(0))) * 3 / 4
	token := padded(n)
	for len(token) < size {
		n++
		token = padded(n)
	}
	return token
}

// http2 runs on HTTP/2 what depends on how header fields are sent.
func (s *suite) http2(t *testing.T) {
	app := s.serve(t, App{HTTP2: true})
	check(t, "version", "the server of an App with HTTP2 speaks HTTP/2", func(t *testing.T) {
		if got := s.get(t, app, PathWhoAmI, nil); got.proto != "HTTP/2.0" {
			t.Errorf("got %s", got.proto)
		}
	})
	t.Run("token", func(t *testing.T) { s.tokens(t, app) })
	t.Run("email header", func(t *testing.T) { s.emailHeader(t, app) })
}

// claims tests what the handler learns of the caller.
func (s *suite) claims(t *testing.T) {
	person, service := s.team.SignUser(audience, ada), s.team.SignService(audience, robot)
	const rule = "the adapter's Claims returns what the token says, and core.FromContext finds the same in every context"
	check(t, "person", rule, func(t *testing.T) {
		for _, path := range []string{PathWhoAmI, PathRequired, PathNested} {
			if saw := s.admits(t, s.plain, path, inHeader(person), ada); saw.Email != ada || saw.Subject == "" {
				t.Errorf("%s: got %+v, want %s and a subject", path, saw, ada)
			}
		}
	})
	check(t, "service", rule, func(t *testing.T) {
		for _, path := range []string{PathWhoAmI, PathRequired, PathNested} {
			if saw := s.admits(t, s.plain, path, inHeader(service), robot); saw.CommonName != robot || saw.Subject != "" {
				t.Errorf("%s: got %+v, want %s alone", path, saw, robot)
			}
		}
	})
	check(t, "token", "Claims.Token is the token that was sent, for calls on the caller's behalf", func(t *testing.T) {
		for name, header := range map[string]http.Header{"header": inHeader(person), "cookie": inCookie(person)} {
			if saw := s.admits(t, s.plain, PathWhoAmI, header, ada); saw.Token != person {
				t.Errorf("%s: got the token %s, want %s", name, saw.Token, person)
			}
		}
	})
}
