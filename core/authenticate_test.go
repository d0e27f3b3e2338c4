package core

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Finding the token, row by row of the design.
func TestAuthenticate(t *testing.T) {
	ada := signUser()
	bob := team.SignUser(testAudience, "bob@example.com")
	expired := signUser(withExpiry(time.Now().Add(-time.Hour)))
	eve := signUser(forged)
	headerAndCookie := func(header, cookie string) http.Header {
		return http.Header{TokenHeader: {header}, "Cookie": inCookies(cookie)["Cookie"]}
	}
	line := func(lines ...string) http.Header { return http.Header{"Cookie": lines} }
	const name = TokenCookie + "="

	for name, test := range map[string]struct {
		headers http.Header
		email   string
		want    error
	}{
		"nothing":      {http.Header{}, "", ErrNoToken},
		"the header":   {inHeader(ada), "ada@example.com", nil},
		"a bad header": {inHeader(eve), "", ErrSignature},

		"the header decides before the cookie":  {headerAndCookie(ada, bob), "ada@example.com", nil},
		"a bad header is never rescued":         {headerAndCookie(eve, bob), "", ErrSignature},
		"an unreadable header is never rescued": {headerAndCookie("x", bob), "", ErrMalformed},
		"two headers":                           {inHeader(ada, ada), "", ErrMalformed},
		"two headers, a forged one first":       {inHeader(eve, ada), "", ErrMalformed},
		"two tokens in one header":              {inHeader(ada + ", " + ada), "", ErrMalformed},
		"an empty header is as absent":          {inHeader(""), "", ErrNoToken},
		"a blank header is as absent":           {inHeader(" \t"), "", ErrNoToken},
		"several empty headers are as absent":   {inHeader("", " ", ""), "", ErrNoToken},
		"an empty header, a good cookie":        {headerAndCookie("", bob), "bob@example.com", nil},
		"a blank header, a good cookie":         {headerAndCookie(" \t ", bob), "bob@example.com", nil},
		"an empty header, a bad cookie":         {headerAndCookie("", expired), "", ErrExpired},
		"two headers, the first blank":          {inHeader(" ", ada), "ada@example.com", nil},
		"two headers, the second empty":         {inHeader(ada, ""), "ada@example.com", nil},
		"three headers, one blank":              {inHeader(ada, "", ada), "", ErrMalformed},
		"the cookie":                            {inCookies(ada), "ada@example.com", nil},
		"the cookie among others":               {line("a=b; " + name + ada + "; c=d"), "ada@example.com", nil},
		"the cookie among malformed ones":       {line("=;;\x00; a b=\"; " + name + ada + ";;"), "ada@example.com", nil},
		"the cookie in quotes":                  {inCookies(`"` + ada + `"`), "ada@example.com", nil},
		"the cookie with space around":          {line(" \tCF_Authorization = " + ada + " \t"), "ada@example.com", nil},
		"the cookie in a second line":           {line("a=b", name+ada), "ada@example.com", nil},
		"the cookie's name has one case":        {line("cf_authorization=" + ada), "", ErrNoToken},
		"another cookie's value":                {line("a=" + name + ada), "", ErrNoToken},
		"another cookie's name":                 {line("X" + name + ada), "", ErrNoToken},
		"an empty cookie is none":               {inCookies(""), "", ErrNoToken},
		"a cookie without a value is none":      {line("CF_Authorization"), "", ErrNoToken},
		"the first cookie that verifies":        {inCookies(expired, bob, ada), "bob@example.com", nil},
		"the second cookie, the first empty":    {inCookies("", ada), "ada@example.com", nil},
		"none verifies, the first one's error":  {inCookies(expired, eve), "", ErrExpired},
		"the fourth cookie":                     {inCookies(expired, eve, "x", ada), "ada@example.com", nil},
		"not the fifth cookie":                  {inCookies(expired, eve, "x", "y", ada), "", ErrExpired},
		"empty cookies don't count":             {inCookies("", "", "", "", "", ada), "ada@example.com", nil},
		"four at most over several lines":       {line(inCookies(expired, "x").Get("Cookie"), inCookies("y", "z", ada).Get("Cookie")), "", ErrExpired},
		"ten thousand cookies":                  {line(strings.Repeat(name+"x; ", 10_000)), "", ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			for _, headers := range []Headers{test.headers, otherHeaders(test.headers)} {
				claims, err := r.Authenticate(t.Context(), headers)
				wantClass(t, err, test.want)
				if test.want == nil && claims.Email != test.email || test.want != nil && claims != nil {
					t.Errorf("got %v, want %s", claims, test.email)
				}
			}
			_, err := newRig(t, func(c *Config) { c.HeaderOnly = true }).Authenticate(t.Context(), test.headers)
			switch headerless := strings.TrimSpace(strings.Join(test.headers[TokenHeader], "")) == ""; {
			case headerless:
				wantClass(t, err, ErrNoToken)
			default:
				wantClass(t, err, test.want)
			}
		})
	}
}

// otherHeaders are Headers of another type than http.Header.
type otherHeaders http.Header

func (h otherHeaders) Values(name string) []string { return http.Header(h).Values(name) }

func TestAdmitOptional(t *testing.T) {
	expired := signUser(withExpiry(time.Now().Add(-time.Hour)))
	elsewhere := team.SignUser(otherAudience, "ada@example.com")
	const anonymous, served = "anonymous", "served"
	var (
		working  = func(*rig) {}
		never    = func(r *rig) { r.endpoint.fail(http.StatusInternalServerError) }
		outage   = func(r *rig) { _ = r.Refresh(t.Context()); never(r); _ = r.Refresh(t.Context()) }
		rotated  = func(r *rig) { r.endpoint.publish(previousKey); _ = r.Refresh(t.Context()); outage(r) }
		withdrew = func(r *rig) { r.endpoint.publish(previousKey); _ = r.Refresh(t.Context()) }
	)
	for name, test := range map[string]struct {
		headers http.Header
		arrange func(*rig)
		want    any // anonymous, served, or an error
	}{
		"no token":                                      {http.Header{}, working, anonymous},
		"an empty cookie":                               {inCookies(""), working, anonymous},
		"a good header":                                 {inHeader(signUser()), working, served},
		"a good cookie":                                 {inCookies(signUser()), working, served},
		"a bad header":                                  {inHeader(signUser(forged)), working, ErrSignature},
		"a bad header beside a good cookie":             {http.Header{TokenHeader: {expired}, "Cookie": inCookies(signUser())["Cookie"]}, working, ErrExpired},
		"two headers":                                   {inHeader(signUser(), signUser()), working, ErrMalformed},
		"a cookie that is expired":                      {inCookies(expired), working, anonymous},
		"a cookie of another application":               {inCookies(elsewhere), working, anonymous},
		"a cookie of another team":                      {inCookies(signUser(withClaim("iss", "https://x.cloudflareaccess.com"))), working, anonymous},
		"a cookie that is garbage":                      {inCookies("garbage"), working, anonymous},
		"a cookie that is forged":                       {inCookies(signUser(forged)), working, anonymous},
		"a cookie of an unknown kid":                    {inCookies(madeUp(0)), working, anonymous},
		"a cookie of a withdrawn key":                   {inCookies(signUser()), withdrew, anonymous},
		"several cookies, all bad":                      {inCookies(expired, elsewhere, "garbage"), working, anonymous},
		"several cookies, the second good":              {inCookies(expired, signUser()), working, served},
		"a cookie while keys are unavailable":           {inCookies(signUser()), never, ErrKeysUnavailable},
		"a cookie, unknown kid, the last fetch failed":  {inCookies(signUser()), rotated, ErrKeysUnavailable},
		"a header, unknown kid, the last fetch failed":  {inHeader(signUser()), rotated, ErrUnknownKey},
		"bad and unknown cookies, the last fetch fails": {inCookies(expired, signUser()), rotated, ErrKeysUnavailable},
		"unknown and good cookies, the fetch fails":     {inCookies(madeUp(0), signUser()), outage, served},
		"an expired cookie, the last fetch failed":      {inCookies(expired), outage, anonymous},
		"a cookie of another team, the fetch failed":    {inCookies(signUser(withHeader("kid", "x"), withClaim("iss", "https://x.cloudflareaccess.com"))), outage, anonymous},
		"no token while keys are unavailable":           {http.Header{}, never, anonymous},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			test.arrange(r)
			claims, err := r.Admit(t.Context(), test.headers, Rule{Optional: true})
			switch want := test.want.(type) {
			case error:
				wantClass(t, err, want)
				if status := Refuse(err).Status; errors.Is(want, ErrKeysUnavailable) != (status == http.StatusServiceUnavailable) {
					t.Errorf("status %d", status)
				}
			default:
				if err != nil || (claims == nil) != (want == anonymous) {
					t.Errorf("got %v, %v, want %s", claims, err, want)
				}
			}
			// A caller whom the policy refuses is no anonymous one, and about
			// those it isn't asked.
			_, err = r.Admit(t.Context(), test.headers, Rule{Optional: true, Policy: Services()})
			if want := test.want; want == served {
				wantClass(t, err, ErrForbidden)
			} else if want == anonymous {
				wantClass(t, err, nil)
			}
		})
	}
}
