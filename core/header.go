package core

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// The size of a token and of its header segment. Access's are about 900 and 150
// bytes. The header is decoded before anything vouches for it, so it has the
// tighter bound.
const (
	maxToken  = 8 << 10
	maxHeader = 2 << 10
)

// joseHeader is the part of a token's header that decides anything
// (RFC 7515 section 4.1). The fields in capitals come first for the reason
// that misspelled gives.
type joseHeader struct {
	OtherAlg  ignored `json:"ALG"`
	OtherKid  ignored `json:"KID"`
	OtherCrit ignored `json:"CRIT"`

	Algorithm string          `json:"alg"`
	KeyID     string          `json:"kid"`
	Critical  json.RawMessage `json:"crit"`
}

// inspect looks at a token's form and header, and returns its key id. It
// refuses what needs no key to be refused, before golang-jwt decodes the rest,
// and the header fields that golang-jwt does not look at.
func inspect(token string) (keyID string, err error) {
	if len(token) > maxToken {
		return "", fmt.Errorf("%w: %d bytes", ErrMalformed, len(token))
	}
	// encoding/base64 skips line breaks, even if it is strict.
	if strings.IndexByte(token, '\n') >= 0 || strings.IndexByte(token, '\r') >= 0 {
		return "", fmt.Errorf("%w: line break", ErrMalformed)
	}
	segment, _, ok := strings.Cut(token, ".")
	if !ok {
		return "", fmt.Errorf("%w: not a JWS in compact form", ErrMalformed)
	}
	if len(segment) > maxHeader {
		return "", fmt.Errorf("%w: header of %d bytes", ErrMalformed, len(segment))
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err != nil {
		return "", fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	var header joseHeader
	if err := json.Unmarshal(decoded, &header); err != nil {
		return "", fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	switch {
	case header.Algorithm == "":
		return "", fmt.Errorf("%w: header without alg", ErrMalformed)
	case header.Algorithm != "RS256":
		return "", fmt.Errorf("%w: alg is %.20q, not RS256", ErrSignature, header.Algorithm)
	case header.KeyID == "":
		return "", fmt.Errorf("%w: header without kid", ErrMalformed)
	case header.Critical != nil:
		// RFC 7515 section 4.1.11: refuse extensions that aren't understood,
		// and an Access token uses none.
		return "", fmt.Errorf("%w: header with crit", ErrMalformed)
	}
	return header.KeyID, nil
}
