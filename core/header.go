package core

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
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

	Algorithm text            `json:"alg"`
	KeyID     text            `json:"kid"`
	Critical  json.RawMessage `json:"crit"`
}

// headerSegment returns the part of a token before its first dot. It refuses
// what is no token by its form alone.
func headerSegment(token string) (string, error) {
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
	return segment, nil
}

// parseHeader returns the key id that a header segment names. It refuses what
// needs no key to be refused.
func parseHeader(segment string) (keyID string, err error) {
	decoded, err := decodeSegment(segment)
	if err != nil {
		return "", &malformedError{"header", err}
	}
	var header joseHeader
	if err := json.Unmarshal(decoded, &header); err != nil {
		return "", &malformedError{"header", err}
	}
	switch {
	case header.Algorithm.value == "":
		return "", fmt.Errorf("%w: header without alg", ErrMalformed)
	case header.Algorithm.value != "RS256":
		return "", fmt.Errorf("%w: alg is %.20q, not RS256", ErrSignature, header.Algorithm.value)
	case header.KeyID.value == "":
		return "", fmt.Errorf("%w: header without kid", ErrMalformed)
	case header.Critical != nil:
		// RFC 7515 section 4.1.11: refuse extensions that aren't understood,
		// and an Access token uses none.
		return "", fmt.Errorf("%w: header with crit", ErrMalformed)
	}
	return header.KeyID.value, nil
}

// headerMemory knows the header of the last token that verified. The tokens of
// one key have one header, so it is seldom read twice. It is safe for
// concurrent use.
type headerMemory struct {
	last atomic.Pointer[knownHeader]
}

type knownHeader struct{ segment, keyID string }

// keyID returns the key id of a token, as parseHeader does.
func (m *headerMemory) keyID(token string) (string, error) {
	segment, err := headerSegment(token)
	if err != nil {
		return "", err
	}
	if known := m.last.Load(); known != nil && known.segment == segment {
		return known.keyID, nil
	}
	return parseHeader(segment)
}

// put remembers the header of a token that verified. The token's memory is kept.
func (m *headerMemory) put(token, keyID string) {
	segment, _, _ := strings.Cut(token, ".")
	if known := m.last.Load(); known == nil || known.segment != segment {
		m.last.Store(&knownHeader{segment, keyID})
	}
}
