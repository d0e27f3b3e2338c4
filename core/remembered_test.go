package core

import (
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A clock may go back, and synctest's can't: the checks of a remembered token
// at their boundaries, by themselves.
func TestRememberedCheck(t *testing.T) {
	const leeway = 30 * time.Second
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(offset time.Duration) *jwt.NumericDate { return &jwt.NumericDate{Time: noon.Add(offset)} }

	tests := map[string]struct {
		exp, nbf, iat *jwt.NumericDate
		want          error
	}{
		"in time":                       {at(time.Hour), at(-time.Hour), at(-time.Hour), nil},
		"neither nbf nor iat":           {at(time.Hour), nil, nil, nil},
		"1 ns before exp + leeway":      {at(-leeway + 1), nil, nil, nil},
		"at exp + leeway":               {at(-leeway), nil, nil, ErrExpired},
		"at nbf − leeway":               {at(time.Hour), at(leeway), nil, nil},
		"1 ns before nbf − leeway":      {at(time.Hour), at(leeway + 1), nil, ErrNotYetValid},
		"at iat − leeway":               {at(time.Hour), nil, at(leeway), nil},
		"1 ns before iat − leeway":      {at(time.Hour), nil, at(leeway + 1), ErrNotYetValid},
		"nbf past, iat not":             {at(time.Hour), at(-time.Hour), at(leeway + 1), ErrNotYetValid},
		"iat past, nbf not":             {at(time.Hour), at(leeway + 1), at(-time.Hour), ErrNotYetValid},
		"expired before it became good": {at(-time.Hour), at(time.Hour), nil, ErrExpired},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			claims := &Claims{RegisteredClaims: jwt.RegisteredClaims{ExpiresAt: test.exp, NotBefore: test.nbf, IssuedAt: test.iat}}
			err := newRemembered(claims, "kid", nil, leeway).check(noon)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}
