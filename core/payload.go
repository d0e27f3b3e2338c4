package core

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// payload is the claims set on its way from JSON to Claims. parse decodes into
// it, and golang-jwt asks it for what it checks.
type payload struct {
	misspelled
	checked
	rest

	from origin // what the claims' pointer points to
}

// checked are the claims that decide anything, here or in a policy. They take
// the place of those in Claims: there a date may be a string, an audience is
// decoded twice, and null doesn't undo a value that came before it. Of a claim
// that comes twice the last counts (RFC 7519 section 4).
type checked struct {
	Issuer     text        `json:"iss"`
	Subject    text        `json:"sub"`
	Audience   audience    `json:"aud"`
	ExpiresAt  numericDate `json:"exp"`
	NotBefore  numericDate `json:"nbf"`
	IssuedAt   numericDate `json:"iat"`
	Type       text        `json:"type"`
	Email      text        `json:"email"`
	CommonName text        `json:"common_name"`
	Country    text        `json:"country"`
}

// rest puts Claims further in than checked, which then comes first.
type rest struct{ Claims }

func (p *payload) GetIssuer() (string, error) { return p.checked.Issuer.value, nil }

func (p *payload) GetExpirationTime() (*jwt.NumericDate, error) { return p.checked.ExpiresAt.date, nil }
func (p *payload) GetNotBefore() (*jwt.NumericDate, error)      { return p.checked.NotBefore.date, nil }
func (p *payload) GetIssuedAt() (*jwt.NumericDate, error)       { return p.checked.IssuedAt.date, nil }
func (p *payload) GetAudience() (jwt.ClaimStrings, error) {
	return jwt.ClaimStrings(p.checked.Audience), nil
}

// Validate is called by golang-jwt after its own checks of the claims.
func (p *payload) Validate() error {
	if t := p.checked.Type; t.given && t.value != "app" {
		return tokenTypeError(t.value)
	}
	return nil
}

type tokenTypeError string

func (e tokenTypeError) Error() string {
	return fmt.Sprintf("type is %.20q, not app", string(e))
}

// claims returns what is left for the caller once the token has verified. It is
// part of p: a copy would be one more piece of memory a token.
func (p *payload) claims(from origin) *Claims {
	c := &p.Claims
	c.Type = p.checked.Type.value
	c.Email = p.checked.Email.value
	c.CommonName = p.checked.CommonName.value
	c.Country = p.checked.Country.value
	c.RegisteredClaims.Issuer = p.checked.Issuer.value
	c.RegisteredClaims.Subject = p.checked.Subject.value
	c.RegisteredClaims.Audience = jwt.ClaimStrings(p.checked.Audience)
	c.RegisteredClaims.ExpiresAt = p.checked.ExpiresAt.date
	c.RegisteredClaims.NotBefore = p.checked.NotBefore.date
	c.RegisteredClaims.IssuedAt = p.checked.IssuedAt.date
	p.from = from
	c.origin = &p.from
	return c
}

// text is a string. Null takes back what came before it, which encoding/json
// would keep.
type text struct {
	value string
	given bool
}

func (t *text) UnmarshalJSON(b []byte) error {
	*t = text{}
	if string(b) == "null" {
		return nil
	}
	t.given = true
	if b[0] != '"' || bytes.IndexByte(b, '\\') >= 0 || !utf8.Valid(b) {
		return json.Unmarshal(b, &t.value)
	}
	t.value = string(b[1 : len(b)-1]) // as most are: there is nothing to decode
	return nil
}

// audience is a string or an array of strings (RFC 7519 section 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	*a = nil // or null in an array would keep what was there before
	if b[0] != '"' {
		return json.Unmarshal(b, (*[]string)(a))
	}
	*a = audience{""}
	return json.Unmarshal(b, &(*a)[0])
}

// named reports whether a names anybody, as golang-jwt sees it.
func (a audience) named() bool { return len(a) > 1 || len(a) == 1 && a[0] != "" }

// numericDate is a NumericDate of RFC 7519 section 2: seconds since 1970 as a
// JSON number. Absent and null leave it nil.
type numericDate struct{ date *jwt.NumericDate }

// latestDate is the end of the year 9999. A date after it is a mistake, and
// past the range of time.Time sums would wrap around.
const latestDate = 253402300799

func (d *numericDate) UnmarshalJSON(b []byte) error {
	d.date = nil
	if string(b) == "null" {
		return nil
	}
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.Abs(seconds) > latestDate {
		return fmt.Errorf("%.20q is not a date in seconds since 1970", b)
	}
	whole, fraction := math.Modf(seconds)
	d.date = &jwt.NumericDate{Time: time.Unix(int64(whole), int64(fraction*1e9))}
	return nil
}

// misspelled takes the members whose names differ from a claim's in case only.
// RFC 7519 section 4 compares names exactly; encoding/json takes any case,
// unless another field has that name too. Of several it takes the one of the
// exact name, or else the first of the outermost: so these come first, and none
// of the others is further out.
type misspelled struct {
	Issuer        ignored `json:"ISS"`
	Subject       ignored `json:"SUB"`
	Audience      ignored `json:"AUD"`
	ExpiresAt     ignored `json:"EXP"`
	NotBefore     ignored `json:"NBF"`
	IssuedAt      ignored `json:"IAT"`
	ID            ignored `json:"JTI"`
	Type          ignored `json:"TYPE"`
	Email         ignored `json:"EMAIL"`
	CommonName    ignored `json:"COMMON_NAME"`
	IdentityNonce ignored `json:"IDENTITY_NONCE"`
	Country       ignored `json:"COUNTRY"`
	Custom        ignored `json:"CUSTOM"`
}

type ignored struct{}

func (*ignored) UnmarshalJSON([]byte) error { return nil }
