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
	// reason that Verify gives. Those that can't be tried are left out, such as
	// the claims of a token that is not JSON.
	Checks []Check
}

// A Check is one check of a token.
type Check struct {
	Name string // "form", "alg", "kid", "signature", "claims", or a claim: "iss", "aud", "type", "exp", "nbf", "iat"
	Got  string // what the token has, which may be long and is not trustworthy
	Want string // what it must have
	Err  error  // nil if the check passed, otherwise of the class that Verify's error would have
}

// Explain tries every check of Verify, the later ones too where an earlier one
// fails. It reads claims that nobody may have signed, so no program should act on
// its result. It fetches keys as Verify does, and reports no [Decision]. The
// result doesn't contain the token. Safe for concurrent use.
func (v *Verifier) Explain(ctx context.Context, token string) *Explanation {
	e, request := new(Explanation), &lookup{arrived: time.Now()}
	add := func(name, got, want string, err error) { e.Checks = append(e.Checks, Check{name, got, want, err}) }

	segment, _, _ := strings.Cut(token, ".")
	err := checkSize(token)
	isReadable := err == nil && len(segment) <= maxHeader
	if err == nil {
		_, _, _, err = v.verifySignature(ctx, token, request.arrived)
	}
	form := err
	if !errors.Is(err, ErrNoToken) && !errors.Is(err, ErrMalformed) {
		form = nil
	}
	add("form", fmt.Sprintf("%d bytes, %d of them header", len(token), len(segment)),
		fmt.Sprintf("at most %d and %d; three base64url segments; a kid and no crit", maxToken, maxHeader), form)
	parsed, _, unreadable := v.parser.ParseUnverified(token, &request.payload)
	if !isReadable || errors.Is(unreadable, jwt.ErrTokenMalformed) {
		return e
	}

	alg := fmt.Sprint(parsed.Header["alg"])
	if alg == "RS256" {
		add("alg", alg, alg, nil)
	} else {
		add("alg", alg, "RS256", err)
	}
	if kid, _ := parsed.Header["kid"].(string); kid != "" {
		_, unknown := v.keys.find(ctx, kid, request)
		add("kid", kid, "a key that "+v.issuer+" publishes", unknown)
	}
	add("signature", "", "made with that key", err)
	c, tokenType, err := decodeClaims(request.payload.json)
	if err != nil {
		add("claims", "", "JSON, each name once and of its type", fmt.Errorf("%w: claims: %w", ErrMalformed, err))
		return e
	}
	date := func(d *jwt.NumericDate) string {
		if d == nil {
			return ""
		}
		return d.UTC().Format(time.RFC3339)
	}
	latest := "not after " + date(jwt.NewNumericDate(time.Now().Add(v.leeway)))
	sides := map[string][2]string{
		"iss":    {c.Issuer, v.issuer},
		"aud":    {strings.Join(c.Audience, ", "), strings.Join(v.audiences, " or ")},
		"type":   {c.Type, "app"},
		"exp":    {date(c.ExpiresAt), "after " + date(jwt.NewNumericDate(time.Now().Add(-v.leeway)))},
		"nbf":    {date(c.NotBefore), latest},
		"iat":    {date(c.IssuedAt), latest},
		"claims": {"", "JSON, each name once and of its type"},
	}
	for _, check := range v.checkClaims(c, tokenType) {
		add(check.Name, sides[check.Name][0], sides[check.Name][1], check.Err)
	}
	return e
}
