package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The header fields and the cookie that Access sends to an origin.
const (
	// TokenHeader carries the application token of every request from Access.
	TokenHeader = "Cf-Access-Jwt-Assertion"
	// TokenCookie is the cookie with the same token, which browsers send.
	TokenCookie = "CF_Authorization"
	// EmailHeader carries the person's email unsigned: anyone who reaches the
	// origin directly can forge it. See [Forward].
	EmailHeader = "Cf-Access-Authenticated-User-Email"
)

// maxCookies is how many cookies are tried: a browser may hold one for each path.
const maxCookies = 4

// Headers are the header fields of a request. Values returns every value of
// the named field, nil if there is none. The name comes in canonical form and
// stands for every spelling. The strings are read during the call only; what
// is kept is copied. An http.Header is one as it stands.
type Headers interface {
	Values(name string) []string
}

// Authenticate finds the token in h and verifies it. [TokenHeader] with a value
// decides alone; two values are ErrMalformed, and empty ones don't count.
// Otherwise, unless Config.HeaderOnly is set, the first of up to four
// [TokenCookie] cookies that verifies is taken; if none does, the error is the
// first one's. With no token in either it returns ErrNoToken. Other errors are
// those of [Verifier.Verify], and so is the longest wait.
func (v *Verifier) Authenticate(ctx context.Context, h Headers) (*Claims, error) {
	return v.Admit(ctx, h, Rule{})
}

// Admit is Authenticate, and then asks rule whether the caller may pass.
// (nil, nil) is an anonymous caller that rule.Optional lets in: see [Rule].
// Whatever error the policy returns, Admit's matches ErrForbidden, or
// ErrPolicyUnavailable if the policy's does.
func (v *Verifier) Admit(ctx context.Context, h Headers, rule Rule) (*Claims, error) {
	began := time.Now()
	claims, cached, err := v.authenticate(ctx, h, rule.Optional, began)
	if claims != nil {
		err = permit(ctx, claims, rule.Policy)
	}
	return v.decided(ctx, began, Decision{Claims: claims, Err: err, Cached: cached})
}

// authenticate finds and verifies the token. With optional set, no token is
// (nil, nil), and a cookie that is no good is no token.
func (v *Verifier) authenticate(ctx context.Context, h Headers, optional bool, arrived time.Time) (_ *Claims, cached bool, err error) {
	token, n := headerToken(h)
	switch {
	case n == 1:
		return v.verify(ctx, token, arrived, arrived)
	case n > 1:
		// One is Access's, the other an attacker's, and either may be first.
		return nil, false, fmt.Errorf("%w: %d values of %s", ErrMalformed, n, TokenHeader)
	}
	var tokens []string
	if !v.cfg.HeaderOnly {
		tokens = cookieTokens(headerValues(h, "Cookie"))
	}
	var first error
	for _, token := range tokens {
		claims, cached, err := v.verify(ctx, token, arrived, time.Now()) // the one before may have waited
		if err == nil {
			return claims, cached, nil
		}
		if optional {
			err = undecided(err)
		}
		first = cmp.Or(first, err)
	}
	if len(tokens) == 0 && !optional {
		first = ErrNoToken
	}
	return nil, false, first
}

// undecided returns the error of a cookie that may be good, since Access could
// not be asked, and nil for every other.
func undecided(err error) error {
	if unknown, ok := errors.AsType[*unknownKeyError](err); ok && unknown.fetchErr != nil && unknown.mayBeOurs() {
		return &keysUnavailableError{cause: unknown.fetchErr}
	}
	if errors.Is(err, ErrKeysUnavailable) {
		return err
	}
	return nil
}

// headerToken returns a value of TokenHeader, and how many there are. Empty
// ones are none: proxies write them for a header that they don't have.
func headerToken(h Headers) (token string, n int) {
	for _, value := range headerValues(h, TokenHeader) {
		if strings.Trim(value, " \t") != "" {
			token = value
			n++
		}
	}
	return token, n
}

// headerValues is h.Values. An http.Header has the canonical names as its keys,
// so that Values' work to make them canonical is saved.
func headerValues(h Headers, name string) []string {
	if header, ok := h.(http.Header); ok {
		return header[name]
	}
	return h.Values(name)
}

// cookieTokens returns the values of the first maxCookies cookies named
// TokenCookie that aren't empty. Unlike in http.ParseCookie, others do no harm.
func cookieTokens(lines []string) []string {
	var tokens []string
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(pair, "=")
			if strings.Trim(name, " \t") != TokenCookie {
				continue
			}
			value = strings.Trim(value, " \t")
			// RFC 6265 section 4.1.1 allows a quoted value.
			if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
				value = value[1 : len(value)-1]
			}
			if value == "" {
				continue
			}
			if tokens = append(tokens, value); len(tokens) == maxCookies {
				return tokens
			}
		}
	}
	return tokens
}
