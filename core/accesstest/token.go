package accesstest

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"strings"
	"time"
)

// lifetime is how long an application token lasts by default.
const lifetime = 24 * time.Hour

// SignUser returns the application token of a person, with the claims that
// Access gives it: aud (an array of one), email, exp, iat, nbf, iss, type "app",
// identity_nonce, sub and country "US". It is valid from now for 24 hours. The
// sub is a UUID that depends on the team's name and the email alone.
func (t *Team) SignUser(aud, email string, options ...Option) string {
	now := time.Now()
	return t.sign(map[string]any{
		"aud":            []string{aud},
		"email":          email,
		"exp":            now.Add(lifetime).Unix(),
		"iat":            now.Unix(),
		"nbf":            now.Unix(),
		"iss":            t.Issuer(),
		"type":           "app",
		"identity_nonce": rand.Text()[:16],
		"sub":            t.uuid("user", strings.ToLower(email)),
		"country":        "US",
	}, options)
}

// SignService returns the application token of a service token, with the claims
// that Access gives it: type "app", aud (one string, unlike a person's), exp, iss, common_name
// (the client ID), iat and an empty sub. There is no email and no nbf. It
// expires in 24 hours.
func (t *Team) SignService(aud, clientID string, options ...Option) string {
	now := time.Now()
	return t.sign(map[string]any{
		"type":        "app",
		"aud":         aud,
		"exp":         now.Add(lifetime).Unix(),
		"iss":         t.Issuer(),
		"common_name": clientID,
		"iat":         now.Unix(),
		"sub":         "",
	}, options)
}

// Sign returns a token of these claims and no others, signed with the current
// key. It adds nothing, neither iss nor exp, and leaves the map as it is. It
// panics, as SignUser and SignService do, if a value has no JSON form.
func (t *Team) Sign(claims map[string]any, options ...Option) string {
	own := map[string]any{} // maps.Clone would return nil for nil
	maps.Copy(own, claims)
	return t.sign(own, options)
}

// sign applies options to claims, which it owns, and returns the signed token in
// the compact form of RFC 7515.
func (t *Team) sign(claims map[string]any, options []Option) string {
	_, current := t.keys()
	d := draft{team: t, claims: claims, header: map[string]any{}, algorithm: "RS256", keyID: current.id, sign: current.sign}
	for _, option := range options {
		option(&d)
	}
	header := map[string]any{"alg": d.algorithm, "kid": d.keyID, "typ": "JWT"}
	maps.Copy(header, d.header)
	maps.DeleteFunc(header, func(_ string, value any) bool { return value == removed{} })
	input := encode(marshal("header", header)) + "." + encode(marshal("claims", d.claims))
	return input + "." + encode(d.sign([]byte(input)))
}

// uuid returns a UUID that depends on the team and on what it is of. It looks
// like a random one, version 4, as Access's do.
func (t *Team) uuid(kind, of string) string {
	sum := sha256.Sum256([]byte(t.host + "\x00" + kind + "\x00" + of))
	sum[6] = sum[6]&0x0f | 0x40 // RFC 9562, section 5.4
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
