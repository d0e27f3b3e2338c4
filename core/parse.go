package core

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// unverified is a token of the right form, of which nothing is known to be true.
type unverified struct {
	token     string
	signed    string // the part of token that the signature is of
	signature []byte
	payload   *payload
}

// parse takes a token apart whose header has been read. It looks neither at the
// signature nor at the claims. The token's memory is kept: it must be the
// verifier's own.
func parse(token string) (*unverified, error) {
	_, rest, _ := strings.Cut(token, ".")
	claims, signature, ok := strings.Cut(rest, ".")
	if !ok {
		return nil, fmt.Errorf("%w: not a JWS in compact form", ErrMalformed)
	}
	decoded, err := decodeSegment(claims)
	if err != nil {
		return nil, &malformedError{"claims", err}
	}
	u := &unverified{
		token:   token,
		signed:  token[:len(token)-len(".")-len(signature)],
		payload: new(payload),
	}
	if err := json.Unmarshal(decoded, u.payload); err != nil {
		return nil, &malformedError{"claims", err}
	}
	// A fourth segment fails here: a dot is no base64.
	if u.signature, err = decodeSegment(signature); err != nil {
		return nil, &malformedError{"signature", err}
	}
	return u, nil
}

// decodeSegment is strict: each segment has one spelling, and so has a token.
func decodeSegment(segment string) ([]byte, error) {
	return base64.RawURLEncoding.Strict().DecodeString(segment)
}
