package main

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// The floors: what nobody can do without.
const (
	nameMap = "map look-up"
	nameRSA = "RSA-2048 verify"
)

// newMap returns a map of the tokens. Its keys are copies, as those of any
// memory of tokens are: the token of a request lies somewhere else each time,
// so that comparing pointers would not do.
func newMap(tokens []string) map[string]int {
	m := make(map[string]int, len(tokens))
	for i, token := range tokens {
		m[strings.Clone(token)] = i
	}
	return m
}

// lookUp finds token in m.
func lookUp(m map[string]int, token string) error {
	if _, ok := m[token]; !ok {
		return errors.New("not in the map")
	}
	return nil
}

// A signed is a signature, decoded, and the digest of what it signs.
type signed struct {
	key       *rsa.PublicKey
	digest    [sha256.Size]byte
	signature []byte
}

// verify does the RSA operation and nothing else.
func (s *signed) verify() error {
	return rsa.VerifyPKCS1v15(s.key, crypto.SHA256, s.digest[:], s.signature)
}

// newSigned takes the tokens of team apart, all signed with its current key.
func newSigned(team *accesstest.Team, tokens []string) ([]signed, error) {
	key, err := publicKey(team.Certs(), team.KeyID())
	if err != nil {
		return nil, err
	}
	all := make([]signed, len(tokens))
	for i, token := range tokens {
		dot := strings.LastIndexByte(token, '.')
		signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
		if err != nil {
			return nil, fmt.Errorf("a signature: %w", err)
		}
		all[i] = signed{key, sha256.Sum256([]byte(token[:dot])), signature}
	}
	return all, nil
}

// publicKey returns the key of that id in a certs document.
func publicKey(certs []byte, keyID string) (*rsa.PublicKey, error) {
	var document struct {
		Keys []struct{ Kid, N, E string }
	}
	if err := json.Unmarshal(certs, &document); err != nil {
		return nil, fmt.Errorf("the certs: %w", err)
	}
	for _, key := range document.Keys {
		if key.Kid != keyID {
			continue
		}
		n, err := base64.RawURLEncoding.DecodeString(key.N)
		if err != nil {
			return nil, fmt.Errorf("the modulus: %w", err)
		}
		e, err := base64.RawURLEncoding.DecodeString(key.E)
		if err != nil {
			return nil, fmt.Errorf("the exponent: %w", err)
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
	}
	return nil, errors.New("the current key is not in the certs")
}
