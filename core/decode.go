package core

import (
	"bytes"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
)

// unverified is golang-jwt's claims while the signature is not known to be
// good: bytes that have not been decoded.
type unverified struct {
	jwt.Claims // nil: the parser validates no claims, so it asks for none
	json       []byte

	once sync.Once // guards iss
	iss  string
}

// UnmarshalJSON keeps a copy, as encoding/json demands.
func (u *unverified) UnmarshalJSON(b []byte) error {
	u.json = bytes.Clone(b)
	return nil
}

// issuer returns the iss that the payload names, "" if it names none. It is only
// a hint, since nothing is verified yet.
func (u *unverified) issuer() string {
	u.once.Do(u.scan)
	return u.iss
}

// scan doesn't decode the other claims, so it takes a quarter of the time.
func (u *unverified) scan() {
	d := jsontext.NewDecoder(bytes.NewReader(u.json), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for _, err := d.ReadToken(); err == nil && d.PeekKind() == '"'; err = d.SkipValue() {
		if name, _ := d.ReadToken(); name.String() == "iss" {
			if value, err := d.ReadToken(); err == nil && value.Kind() == '"' {
				u.iss = value.String()
			}
			return
		}
	}
}

// payload is the claims set of a token. Package json compares names exactly and
// refuses a name that comes twice (RFC 7519 section 4). A null claim is absent.
type payload struct {
	Issuer     string           `json:"iss"`
	Subject    string           `json:"sub"`
	Audience   jwt.ClaimStrings `json:"aud"`
	ExpiresAt  numericDate      `json:"exp"`
	NotBefore  numericDate      `json:"nbf"`
	IssuedAt   numericDate      `json:"iat"`
	Type       *string          `json:"type"`
	Email      string           `json:"email"`
	CommonName string           `json:"common_name"`

	ID            lenient[string]         `json:"jti"`
	IdentityNonce lenient[string]         `json:"identity_nonce"`
	Country       lenient[string]         `json:"country"`
	Custom        lenient[map[string]any] `json:"custom"`
}

// lenient is a claim that decides nothing: one of another type is left zero.
type lenient[T any] struct{ value T }

func (l *lenient[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	value, err := d.ReadValue()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(value, &l.value, d.Options()); err != nil {
		*l = lenient[T]{}
	}
	return nil
}

// numericDate is a NumericDate (RFC 7519 section 2), nil if it is absent.
type numericDate struct{ date *jwt.NumericDate }

// latestDate is the end of the year 9999 in seconds since 1970. With a
// later one, sums in golang-jwt would overflow.
const latestDate = 253402300799

func (d *numericDate) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	var seconds *float64
	if err := json.UnmarshalDecode(decoder, &seconds); err != nil || seconds == nil {
		return err
	}
	if math.Abs(*seconds) > latestDate {
		return fmt.Errorf("%g is not a date before the year 10000", *seconds)
	}
	whole, fraction := math.Modf(*seconds)
	d.date = &jwt.NumericDate{Time: time.Unix(int64(whole), int64(fraction*1e9))}
	return nil
}

// decodeClaims reads a payload. The type is nil if it is absent. Errors are ErrMalformed.
func decodeClaims(b []byte) (c *Claims, tokenType *string, err error) {
	var p payload
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, nil, fmt.Errorf("%w: claims: %w", ErrMalformed, err)
	}
	c = &Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    p.Issuer,
			Subject:   p.Subject,
			Audience:  p.Audience,
			ExpiresAt: p.ExpiresAt.date,
			NotBefore: p.NotBefore.date,
			IssuedAt:  p.IssuedAt.date,
			ID:        p.ID.value,
		},
		Email:         p.Email,
		CommonName:    p.CommonName,
		IdentityNonce: p.IdentityNonce.value,
		Country:       p.Country.value,
		Custom:        p.Custom.value,
	}
	if p.Type != nil {
		c.Type = *p.Type
	}
	return c, p.Type, nil
}
