package core

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Where Access puts what it has to say to an origin.
const (
	// TokenHeader carries the application token of every request that Access
	// let through.
	TokenHeader = "Cf-Access-Jwt-Assertion"
	// TokenCookie is the cookie with the same token, which browsers send.
	TokenCookie = "CF_Authorization"
	// EmailHeader carries the person's email unsigned: whoever reaches the
	// origin directly can forge it. See [Forward].
	EmailHeader = "Cf-Access-Authenticated-User-Email"
)

// maxCookies is how many cookies named TokenCookie are tried. With Access's
// "cookie path" setting a browser holds one for each path.
const maxCookies = 4

// Headers are the header fields of a request. Values returns every value of
// the named field, nil if there is none. The name comes in canonical form and
// stands for every spelling. The strings are read during the call only; what
// is kept is copied. An http.Header is one as it stands.
type Headers interface {
	Values(name string) []string
}

// Authenticate finds the token in h and verifies it. [TokenHeader], if present,
// decides alone; more than one value is ErrMalformed. Otherwise the first of up
// to four [TokenCookie] cookies that verifies is taken; if none does, the error
// is the first one's. With no token in either it returns ErrNoToken. Other
// errors are those of [Verifier.Verify], and so is the longest wait.
func (v *Verifier) Authenticate(ctx context.Context, h Headers) (*Claims, error) {
	return v.Admit(ctx, h, Rule{})
}

// Admit is Authenticate, and then asks rule whether the caller may pass.
// (nil, nil) is an anonymous caller that rule.Optional lets in. Whatever error
// the policy returns, Admit's matches ErrForbidden.
func (v *Verifier) Admit(ctx context.Context, h Headers, rule Rule) (*Claims, error) {
	claims, err := v.authenticate(ctx, h)
	if err == ErrNoToken { //nolint:errorlint // the bare sentinel is authenticate's own
		if rule.Optional {
			return nil, nil
		}
		return nil, v.refused(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	if err := permit(ctx, claims, rule.Policy); err != nil {
		return nil, v.refused(ctx, err)
	}
	return claims, nil
}

// authenticate returns ErrNoToken as it is, so that Admit can let it pass
// before it is logged as a refusal.
func (v *Verifier) authenticate(ctx context.Context, h Headers) (*Claims, error) {
	switch values := h.Values(TokenHeader); len(values) {
	case 0:
	case 1:
		return v.Verify(ctx, values[0])
	default:
		// One is Access's, the other an intruder's, and either may be first.
		return nil, v.refused(ctx, fmt.Errorf("%w: %d values of %s", ErrMalformed, len(values), TokenHeader))
	}

	tokens := cookieTokens(h.Values("Cookie"))
	if len(tokens) == 0 {
		return nil, ErrNoToken
	}
	var first error
	arrived := time.Now()
	for _, token := range tokens {
		claims, err := v.verifySince(ctx, token, arrived)
		if err == nil {
			return claims, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// cookieTokens returns the values of the first maxCookies cookies named
// TokenCookie. Other cookies may be as odd as they like: unlike
// http.ParseCookie, one that isn't well-formed locks nobody out.
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
			if tokens = append(tokens, value); len(tokens) == maxCookies {
				return tokens
			}
		}
	}
	return tokens
}
