package core

import (
	"cmp"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"

	"github.com/MicahParks/jwkset"
)

// The size of an RSA modulus in bits: smaller ones are weak (RFC 7518 section
// 3.3), larger ones make each verification slow.
const leastModulus, mostModulus = 2048, 8192

// keySet is the usable part of one certs document. It is immutable. A key that
// stays published is the same *JWK in the next set; see parseCerts.
type keySet struct {
	keys map[string]*jwkset.JWK // by key id
}

// fetchCerts returns the keys that a team publishes at a URL. Every answer but
// a certs document is an error, which leaves the last good keys in place.
func fetchCerts(ctx context.Context, client *http.Client, url string, last *keySet) (*keySet, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	// A cache in between would answer an unknown key id with the old document.
	request.Header.Set("Cache-Control", "no-cache")
	request.Close = true // one request an hour: an idle connection would only keep goroutines
	status, _, document, err := do(client, request)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", url, err)
	}
	set, err := parseCerts(document, last)
	if err != nil {
		return nil, fmt.Errorf("GET %s: certs document: %w", url, err)
	}
	return set, nil
}

// parseCerts returns the usable keys of a certs document, and skips the others.
// A key that was in last stays the same pointer, so that cached tokens stay
// good; if nothing changed, it returns last.
func parseCerts(document []byte, last *keySet) (*keySet, error) {
	var certs struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(document, &certs); err != nil {
		return nil, err
	}

	keys := make(map[string]*jwkset.JWK)
	var skipped error // why the last unusable key was skipped
	for _, raw := range certs.Keys {
		jwk, err := parseKey(raw)
		if err != nil {
			skipped = err
			continue
		}
		id := jwk.Marshal().KID
		if other, ok := keys[id]; ok && !isSameKey(jwk, other) {
			return nil, fmt.Errorf("two keys with kid %.80q", id)
		}
		if known, ok := last.keys[id]; ok && isSameKey(jwk, known) {
			jwk = known
		}
		keys[id] = jwk
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("no usable key among %d: %w", len(certs.Keys), cmp.Or(skipped, errors.New("there are none")))
	}
	if maps.Equal(keys, last.keys) {
		return last, nil
	}
	return &keySet{keys}, nil
}

func isSameKey(a, b *jwkset.JWK) bool {
	return a.Key().(*rsa.PublicKey).Equal(b.Key().(*rsa.PublicKey))
}

// parseKey returns a JWK (RFC 7517 section 4) if it can verify Access's tokens.
func parseKey(raw json.RawMessage) (*jwkset.JWK, error) {
	var m jwkset.JWKMarshal
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, err
	}
	switch {
	case m.KID == "":
		return nil, errors.New("key without a kid")
	case m.KTY != jwkset.KtyRSA:
		return nil, fmt.Errorf("key type %.20q", m.KTY)
	case m.USE != "" && m.USE != jwkset.UseSig:
		return nil, fmt.Errorf("key use %.20q", m.USE)
	case m.ALG != "" && m.ALG != jwkset.AlgRS256:
		return nil, fmt.Errorf("key algorithm %.20q", m.ALG)
	}
	// Copy only the checked members: jwkset would follow an x5u.
	m = jwkset.JWKMarshal{KTY: m.KTY, USE: m.USE, ALG: m.ALG, KID: m.KID, N: m.N, E: m.E}
	jwk, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return nil, err
	}
	key, ok := jwk.Key().(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("key of type %T", jwk.Key())
	}
	if bits := key.N.BitLen(); bits < leastModulus || bits > mostModulus || key.N.Bit(0) == 0 {
		return nil, fmt.Errorf("RSA modulus of %d bits, or even", bits)
	}
	// 65537 is Access's; a small exponent invites forgeries (RFC 8017 section
	// 8.2.2, note 2), an even one is no RSA key.
	if key.E < 65537 || key.E%2 == 0 {
		return nil, fmt.Errorf("RSA exponent %d", key.E)
	}
	return &jwk, nil
}
