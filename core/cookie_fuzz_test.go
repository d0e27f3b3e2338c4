package core

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// FuzzCookie: a Cookie header gives at most maxCookies tokens, and among them
// are those that net/http's parser finds.
func FuzzCookie(f *testing.F) {
	for _, line := range []string{
		"", ";", "=", "CF_Authorization", "CF_Authorization=", "CF_Authorization=a", `CF_Authorization="a"`,
		`CF_Authorization="`, "a=b; CF_Authorization=a; c=d", "CF_Authorization = a ;CF_Authorization=b",
		"cf_authorization=a", "XCF_Authorization=a", "a=CF_Authorization=b", "\x00; CF_Authorization=\x00",
		strings.Repeat("CF_Authorization=a;", 9),
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\r\n") {
			return // no header field has one
		}
		tokens := cookieTokens([]string{line})
		if len(tokens) > maxCookies {
			t.Fatalf("%d tokens", len(tokens))
		}
		request := http.Request{Header: http.Header{"Cookie": {line}}}
		rest := tokens
		for _, cookie := range request.CookiesNamed(TokenCookie) {
			// net/http keeps the space before a value that isn't in quotes.
			i := slices.IndexFunc(rest, func(token string) bool {
				return token == cookie.Value || token == strings.Trim(cookie.Value, " \t")
			})
			if i < 0 && len(tokens) < maxCookies {
				t.Fatalf("net/http finds %q, we find %q", cookie.Value, tokens)
			}
			rest = rest[i+1:]
		}
	})
}
