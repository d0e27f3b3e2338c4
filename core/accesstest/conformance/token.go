package conformance

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// The sizes of tokens: the largest that the suite calls for, about what fills
// fiber's default read buffer four times over, and core's limit.
const (
	largeToken = 7900
	maxToken   = 8 << 10
)

// tokens is about where in a request the token is found. Whose it was shows in
// the identity that the handler sees, and why it was refused in the answer.
func (s *suite) tokens(t *testing.T) {
	good, other := s.team.SignUser(audience, ada), s.team.SignUser(audience, bob)
	forged := s.team.SignUser(audience, ada, accesstest.SignedByStranger())
	expired := s.team.SignUser(audience, ada, accesstest.WithExpiry(time.Now().Add(-time.Hour)))
	large := s.tokenOfSize(largeToken)

	for name, test := range map[string]struct {
		rule   string
		header http.Header
		caller string // who passes, or
		class  error  // why nobody does
	}{
		"header": {
			"the token in " + core.TokenHeader + " counts",
			inHeader(good), ada, nil,
		},
		"header in lower case": {
			"the case of a field name means nothing (RFC 9110 section 5.1)",
			http.Header{strings.ToLower(core.TokenHeader): {good}}, ada, nil,
		},
		"header before cookie": {
			"a header decides alone, whatever the cookies say",
			with(inHeader(good), "Cookie", cookies(other)), ada, nil,
		},
		"bad header with a good cookie": {
			"a bad header is never rescued by a good cookie",
			with(inHeader(forged), "Cookie", cookies(good)), "", core.ErrSignature,
		},
		"empty header with a good cookie": {
			"an empty header counts as none: proxies write one where there was none",
			with(inHeader(""), "Cookie", cookies(good)), ada, nil,
		},
		"blank header": {
			"a blank header counts as none",
			inHeader(" \t "), "", core.ErrNoToken,
		},
		"two headers, good first": {
			"one of two headers is an attacker's, and either may be first: both are refused",
			inHeader(good, forged), "", core.ErrMalformed,
		},
		"two headers, good last": {
			"one of two headers is an attacker's, and either may be first: both are refused",
			inHeader(forged, good), "", core.ErrMalformed,
		},
		"two headers, both good": {
			"one of two headers is an attacker's, even with a good token of their own",
			inHeader(good, other), "", core.ErrMalformed,
		},
		"two headers, empty first": {
			"an empty header counts as none, so the other one decides",
			inHeader("", good), ada, nil,
		},
		"two headers beside an empty one": {
			"an empty header doesn't make one of two",
			inHeader(good, "", other), "", core.ErrMalformed,
		},
		"two headers in different case": {
			"the case of a field name means nothing: there are two",
			with(inHeader(good), strings.ToLower(core.TokenHeader), forged), "", core.ErrMalformed,
		},
		"header too large": {
			"a token over 8 KiB is refused",
			inHeader(s.tokenOfSize(maxToken + 4)), "", core.ErrMalformed,
		},
		"cookie": {
			"without the header, the token in the cookie " + core.TokenCookie + " counts",
			inCookie(good), ada, nil,
		},
		"cookie among others": {
			"other cookies don't matter, odd ones included",
			http.Header{"Cookie": {`theme=dark; odd; ="; ` + cookies(good) + "; session=" + forged}}, ada, nil,
		},
		"cookie in quotes": {
			"a cookie's value may be quoted (RFC 6265 section 4.1.1)",
			http.Header{"Cookie": {core.TokenCookie + `="` + good + `"`}}, ada, nil,
		},
		"bad cookie": {
			"a bad cookie is refused like a bad header",
			inCookie(forged), "", core.ErrSignature,
		},
		"empty cookie": {
			"an empty cookie counts as none",
			inCookie(""), "", core.ErrNoToken,
		},
		"good cookie behind an empty one": {
			"an empty cookie counts as none",
			inCookie("", good), ada, nil,
		},
		"two good cookies": {
			"of several cookies the first that verifies counts",
			inCookie(good, other), ada, nil,
		},
		"good cookie behind bad ones": {
			"of several cookies the first that verifies counts",
			inCookie(forged, expired, other), bob, nil,
		},
		"good cookie in fourth place": {
			"four cookies are tried",
			inCookie(forged, forged, expired, good), ada, nil,
		},
		"good cookie in fifth place": {
			"no more than four cookies are tried; the first one's error counts",
			inCookie(expired, forged, forged, forged, good), "", core.ErrExpired,
		},
		"bad cookies": {
			"where no cookie verifies, the first one's error counts",
			inCookie(expired, forged), "", core.ErrExpired,
		},
		"cookies on two lines": {
			"cookies may come on several Cookie lines, as HTTP/2 has them (RFC 9113 section 8.2.3)",
			http.Header{"Cookie": {"theme=dark; " + cookies(forged), cookies(good)}}, ada, nil,
		},
		"good cookie on the first of two lines": {
			"cookies may come on several Cookie lines, as HTTP/2 has them (RFC 9113 section 8.2.3)",
			http.Header{"Cookie": {cookies(good), "theme=dark"}}, ada, nil,
		},
		"large header and cookie": {
			"a request with a token of 7.9 KB in the header and in the cookie passes: " +
				"the server must take header blocks of 16 KiB, and the adapter's documentation must say how",
			with(inHeader(large), "Cookie", cookies(large)), ada, nil,
		},
	} {
		check(t, name, test.rule, func(t *testing.T) {
			if test.class != nil {
				s.refused(t, s.plain, PathWhoAmI, test.header, test.class)
				return
			}
			if got := s.seen(t, s.plain, PathWhoAmI, test.header).Claims.name(); got != test.caller {
				t.Errorf("the handler took the caller for %q, not for %q", got, test.caller)
			}
		})
	}
}

// tokenOfSize returns a good token of ada's of about that many bytes: as many,
// or up to three more.
func (s *suite) tokenOfSize(size int) string {
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
