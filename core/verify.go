package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The size of a token and of its header segment; Access's are about 900 and 150
// bytes. golang-jwt decodes the header of unsigned tokens, so a large one is costly.
const maxToken, maxHeader = 8 << 10, 512

// verify decides about one token: its form, the cache, the signature, the
// claims. arrived is when the request came: however many tokens it brings, it
// waits for keys until arrived + FetchTimeout at most.
func (v *Verifier) verify(ctx context.Context, token string, arrived, now time.Time) (_ *Claims, cached bool, err error) {
	if err := checkSize(token); err != nil { // before its hash is computed
		return nil, false, err
	}
	if entry := v.cache.get(token); entry != nil {
		if claims, err := v.verifyCached(ctx, entry, arrived, now); claims != nil || err != nil {
			return claims, true, err
		}
	}
	// fiber reuses a string's memory, also while a request waits for keys that its
	// handler has given up: what is verified and what is kept must be the same.
	kept := strings.Clone(token)
	request, err := v.verifySignature(ctx, kept, arrived)
	if err != nil {
		return nil, false, err
	}
	claims, err := v.verifyClaims(request.payload.json)
	if err != nil {
		return nil, false, err
	}
	claims.background = NewContext(context.Background(), claims)
	claims.token, claims.verifier = &kept, v
	v.cache.put(claims, request, v.keys.state.Load().set, v.leeway)
	return claims, false, nil
}

func checkSize(token string) error {
	switch {
	case token == "":
		return ErrNoToken
	case len(token) > maxToken:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(token), maxToken)
	}
	return nil
}

// verifyCached repeats the checks whose results change with time: whether the
// key is still published, and the dates. It returns (nil, nil) if another key
// has the key id now, so that the token must be verified anew.
func (v *Verifier) verifyCached(ctx context.Context, entry *cacheEntry, arrived, now time.Time) (*Claims, error) {
	if set := v.keys.fresh(now); set == nil || set != entry.set && set.keys[entry.keyID] != entry.jwk {
		jwk, err := v.keys.find(ctx, entry.keyID, &lookup{arrived: arrived})
		if err != nil {
			return nil, err
		}
		if jwk != entry.jwk {
			return nil, nil
		}
		now = time.Now() // find may have waited
	}
	switch {
	case !now.Before(entry.until):
		v.cache.remove(entry)
		return nil, v.expired(entry.claims, now)
	case now.Before(entry.from): // the clock was set back
		return nil, v.notYetValid("nbf or iat", entry.from.Add(v.leeway), now)
	}
	return entry.claims, nil
}

// verifySignature returns the payload of a token that a published key has
// signed, and that key. Of the payload, only the syntax is checked.
func (v *Verifier) verifySignature(ctx context.Context, token string, arrived time.Time) (*lookup, error) {
	if n := strings.IndexByte(token, '.'); n > maxHeader {
		return nil, fmt.Errorf("%w: header segment of %d bytes, at most %d", ErrMalformed, n, maxHeader)
	}
	if strings.IndexByte(token, '\n') >= 0 || strings.IndexByte(token, '\r') >= 0 {
		// encoding/base64 skips them, even if it is strict.
		return nil, fmt.Errorf("%w: line break in the token", ErrMalformed)
	}
	request := &lookup{arrived: arrived}
	published := v.keyfunc.KeyfuncCtx(context.WithValue(ctx, lookupKey{}, request))
	parsed, err := v.parser.ParseWithClaims(token, &request.payload, func(t *jwt.Token) (any, error) {
		if err := checkHeader(t.Header); err != nil {
			return nil, &keyError{err}
		}
		return published(t)
	})
	if err != nil {
		return nil, parseError(parsed, err)
	}
	return request, nil
}

// checkHeader checks more than golang-jwt: without a kid keyfunc tries every key.
func checkHeader(header map[string]any) error {
	if kid, _ := header["kid"].(string); kid == "" {
		return fmt.Errorf("%w: header without a kid", ErrMalformed)
	}
	// RFC 7515 section 4.1.11: unknown extensions are refused. Access has none.
	if _, ok := header["crit"]; ok {
		return fmt.Errorf("%w: header with crit", ErrMalformed)
	}
	return nil
}

// keyError wraps an error of this package for keyfunc and golang-jwt. They format
// its text at once, and that of an unknown key takes time to make.
type keyError struct{ cause error }

func (e *keyError) Error() string { return "no key" }

// parseError classifies an error of golang-jwt's parser.
func parseError(parsed *jwt.Token, err error) error {
	if own, ok := errors.AsType[*keyError](err); ok {
		return own.cause
	}
	if errors.Is(err, jwt.ErrTokenMalformed) {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if alg, _ := parsed.Header["alg"].(string); alg == "" {
		return fmt.Errorf("%w: header without an alg", ErrMalformed)
	}
	return fmt.Errorf("%w: %w", ErrSignature, err) // not RS256, or not by this key
}

// verifyClaims returns the claims of a payload whose signature is good.
func (v *Verifier) verifyClaims(payload []byte) (*Claims, error) {
	c, tokenType, err := decodeClaims(payload)
	if err != nil {
		return nil, err
	}
	for _, check := range v.checkClaims(c, tokenType) {
		if check.Err != nil {
			return nil, check.Err
		}
	}
	return c, nil
}

// checkClaims returns the checks of claims by name. If several fail, the first
// counts: a wrong issuer or audience says more than an old token.
func (v *Verifier) checkClaims(c *Claims, tokenType *string) [6]Check {
	var iss, aud, typ, exp, nbf, iat error
	err, now := v.validator.Validate(c), time.Now()
	if c.Issuer == "" || errors.Is(err, jwt.ErrTokenInvalidIssuer) {
		iss = fmt.Errorf("%w: iss is %.100q, want %q", ErrIssuer, c.Issuer, v.issuer)
	}
	if strings.Join(c.Audience, "") == "" || errors.Is(err, jwt.ErrTokenInvalidAudience) {
		aud = fmt.Errorf("%w: aud is %.200q, want one of %q", ErrAudience, []string(c.Audience), v.audiences)
	}
	switch {
	case tokenType == nil && !c.IsService():
		// Access signs "meta" and "match" tokens with the same keys and the
		// application's AUD, for strangers. Only old service tokens lack a type.
		typ = fmt.Errorf("%w: type is missing, and the claims are not a service token's", ErrTokenType)
	case tokenType != nil && *tokenType != "app":
		typ = fmt.Errorf("%w: type is %.20q, want \"app\"", ErrTokenType, *tokenType)
	}
	switch {
	case c.ExpiresAt == nil:
		exp = fmt.Errorf("%w: exp is missing", ErrMalformed)
	case errors.Is(err, jwt.ErrTokenExpired):
		exp = v.expired(c, now)
	}
	if errors.Is(err, jwt.ErrTokenNotValidYet) {
		nbf = v.notYetValid("nbf", c.NotBefore.Time, now)
	}
	switch {
	case errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		iat = v.notYetValid("iat", c.IssuedAt.Time, now)
	case err != nil && cmp.Or(iss, aud, typ, exp, nbf) == nil: // a check that golang-jwt may add
		iat = fmt.Errorf("%w: claims: %w", ErrMalformed, err)
	}
	return [...]Check{
		{Name: "iss", Err: iss}, {Name: "aud", Err: aud}, {Name: "type", Err: typ},
		{Name: "exp", Err: exp}, {Name: "nbf", Err: nbf}, {Name: "iat", Err: iat},
	}
}

func (v *Verifier) expired(c *Claims, now time.Time) error {
	return fmt.Errorf("%w: exp was %v ago, leeway %v", ErrExpired, now.Sub(c.ExpiresAt.Time).Round(time.Second), v.leeway)
}

func (v *Verifier) notYetValid(name string, date, now time.Time) error {
	return fmt.Errorf("%w: %s is %v ahead of this clock, leeway %v", ErrNotYetValid, name, date.Sub(now).Round(time.Second), v.leeway)
}
