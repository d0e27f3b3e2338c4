package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// An Explanation says what each check of a token found, for people who want to
// know why it is refused. It is not a verification: [Verifier.Verify] is.
type Explanation struct {
	// Checks are in the order in which they count: the first that failed is the
	// reason that Verify gives. Those that can't be tried are left out.
	Checks []Check
}

// A Check is one check of a token.
type Check struct {
	Name string // "form", "alg", "kid", "signature", "claims", "iss", "aud", "type", "exp", "nbf" or "iat"
	Got  string // what the token has, which may be long and is not trustworthy
	Want string // what it must have
	Err  error  // nil if the check passed, otherwise of the class that Verify's error would have
}

// Explain tries every check of Verify, also after one that fails. The claims may
// be unsigned, so no program should act on the result, which lacks the token
// itself. Explain fetches keys as Verify does, and reports no [Decision].
func (v *Verifier) Explain(ctx context.Context, token string) *Explanation {
	e, request := new(Explanation), &lookup{arrived: time.Now()}
	add := func(name, got, want string, err error) { e.Checks = append(e.Checks, Check{name, got, want, err}) }
	segment, _, _ := strings.Cut(token, ".")
	err := checkSize(token)
	if err == nil {
		_, err = v.verifySignature(ctx, token, request.arrived)
	}
	form, alg := err, err
	if !errors.Is(err, ErrNoToken) && !errors.Is(err, ErrMalformed) {
		form = nil
	}
	add("form", fmt.Sprintf("%d bytes, %d of them header", len(token), len(segment)),
		fmt.Sprintf("at most %d and %d; three base64url segments; a kid and no crit", maxToken, maxHeader), form)
	parsed, _, unreadable := v.parser.ParseUnverified(token, &request.payload)
	if len(token) > maxToken || len(segment) > maxHeader || errors.Is(unreadable, jwt.ErrTokenMalformed) {
		return e
	}
	if parsed.Header["alg"] == "RS256" {
		alg = nil
	}
	add("alg", fmt.Sprint(parsed.Header["alg"]), "RS256", alg)
	if kid, _ := parsed.Header["kid"].(string); kid != "" {
		_, unknown := v.keys.find(ctx, kid, request)
		add("kid", kid, "a key that "+v.issuer+" publishes", unknown)
	}
	add("signature", "", "made with that key", err)
	c, tokenType, err := decodeClaims(request.payload.json)
	add("claims", "", "JSON, each name once and of its type", err)
	if err != nil {
		return e
	}
	date := func(d *jwt.NumericDate) string {
		if d == nil {
			return ""
		}
		return d.UTC().Format(time.RFC3339)
	}
	sides := map[string][2]string{
		"iss":  {c.Issuer, v.issuer},
		"aud":  {strings.Join(c.Audience, ", "), strings.Join(v.audiences, " or ")},
		"type": {c.Type, "app"},
		"exp":  {date(c.ExpiresAt), fmt.Sprintf("must be later than %v ago", v.leeway)},
		"nbf":  {date(c.NotBefore), fmt.Sprintf("must be at most %v ahead", v.leeway)},
		"iat":  {date(c.IssuedAt), fmt.Sprintf("must be at most %v ahead", v.leeway)},
	}
	for _, check := range v.checkClaims(c, tokenType) {
		add(check.Name, sides[check.Name][0], sides[check.Name][1], check.Err)
	}
	return e
}
