package core

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"

	"github.com/MicahParks/jwkset"
)

// maxDocument bounds the certs document. Access's is under 10 KiB.
const maxDocument = 1 << 20

// The size of an RSA modulus in bits. Fewer are weak (RFC 7518 section 3.3);
// with more, each signature takes so long that a hostile key is a way to stop
// the process.
const leastModulus, mostModulus = 2048, 8192

// fetchCerts fetches and reads the certs document. It returns an error, and
// so leaves the last good keys in place, for every answer that a team doesn't
// give: another status, a redirect, too much of it, or no usable key.
func fetchCerts(ctx context.Context, client *http.Client, url string, last *keySet) (*keySet, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	// A cache in between would answer an unknown key id with the old document.
	request.Header.Set("Cache-Control", "no-cache")
	// One request an hour: a connection kept open would only keep goroutines.
	request.Close = true
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: status %d", url, response.StatusCode)
	}

	// An HTTPClient's own transport may follow redirects unseen. One that says
	// nothing of the request it answers is believed.
	if answered := response.Request; answered != nil && answered.URL.String() != url {
		return nil, fmt.Errorf("GET %s: answered by %s", url, answered.URL.Redacted())
	}
	document, err := readDocument(response.Body)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", url, err)
	}
	set, err := parseCerts(document, last)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", url, err)
	}
	return set, nil
}

// readDocument reads the body into one piece of memory: growing towards the
// limit would cost several times as much.
func readDocument(body io.Reader) ([]byte, error) {
	var document bytes.Buffer
	document.Grow(maxDocument + 1 + bytes.MinRead)
	if _, err := document.ReadFrom(io.LimitReader(body, maxDocument+1)); err != nil {
		return nil, err
	}
	if document.Len() > maxDocument {
		return nil, fmt.Errorf("body over %d bytes", maxDocument)
	}
	return document.Bytes(), nil
}

// parseCerts returns the usable keys of a certs document. Others are skipped:
// a new kind of key beside the good ones is no reason to refuse everybody. A
// key that was in last stays the same pointer, so that cached tokens stay good, and
// if nothing changed, last itself is returned.
func parseCerts(document []byte, last *keySet) (*keySet, error) {
	var certs struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &certs); err != nil {
		return nil, fmt.Errorf("certs document: %w", err)
	}

	var (
		keys    = make(map[string]*jwkset.JWK)
		skipped error // why the last unusable key is
	)
	for _, raw := range certs.Keys {
		jwk, err := parseKey(raw)
		if err != nil {
			skipped = err
			continue
		}
		id := jwk.Marshal().KID
		if other, ok := keys[id]; ok && !isSameKey(jwk, other) {
			return nil, fmt.Errorf("certs document: two keys with kid %.80q", id)
		}
		if known, ok := last.keys[id]; ok && isSameKey(jwk, known) {
			jwk = known
		}
		keys[id] = jwk
	}
	if len(keys) == 0 {
		if skipped == nil {
			skipped = errors.New("there are none")
		}
		return nil, fmt.Errorf("certs document: no usable key among %d: %w", len(certs.Keys), skipped)
	}
	if maps.Equal(keys, last.keys) {
		return last, nil
	}
	return &keySet{keys}, nil
}

func isSameKey(a, b *jwkset.JWK) bool {
	return a.Key().(*rsa.PublicKey).Equal(b.Key().(*rsa.PublicKey))
}

// parseKey returns a JWK (RFC 7517 section 4) if it can verify tokens of ours.
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
	// Only the members that were looked at: jwkset would follow an x5u.
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
