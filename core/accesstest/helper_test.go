package accesstest_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

const (
	aud          = "32eafc7626e737aacf9ab6dbf6fe6f6ce3f0d5ad0b8d0a9d3b9a2d3c3a2b4228"
	email        = "ada@example.com"
	clientID     = "e367826f93b8d71185e03fe518aff3b4.access"
	certsPath    = "/cdn-cgi/access/certs"
	identityPath = "/cdn-cgi/access/get-identity"
	logoutPath   = "/cdn-cgi/access/logout"
)

// newTeam returns a team of the test's own. Its keys take a while.
func newTeam(t *testing.T) *accesstest.Team {
	t.Helper()
	team := accesstest.NewTeam("acme")
	t.Cleanup(team.Close)
	return team
}

// sharedTeam returns the team of the tests that change nothing about it.
var sharedTeam = sync.OnceValue(func() *accesstest.Team { return accesstest.NewTeam("acme") })

// call is a request without a socket.
func call(handler http.Handler, method, path string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, nil)
	for _, cookie := range cookies {
		request.AddCookie(cookie)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

// get fetches the certs over a connection of its own.
func get(team *accesstest.Team) (status int, body []byte, err error) {
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Get(team.URL + certsPath)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

// A document is the certs document as its readers see it.
type document struct {
	Keys []struct {
		Kid string `json:"kid"`
		Kty string `json:"kty"`
		Alg string `json:"alg"`
		Use string `json:"use"`
		E   string `json:"e"`
		N   string `json:"n"`
	} `json:"keys"`
	PublicCert  certificate   `json:"public_cert"`
	PublicCerts []certificate `json:"public_certs"`
}

type certificate struct {
	Kid  string `json:"kid"`
	Cert string `json:"cert"`
}

func parseDocument(t *testing.T, body []byte) document {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	var parsed document
	if err := decoder.Decode(&parsed); err != nil {
		t.Fatalf("certs document: %v", err)
	}
	return parsed
}

func (d document) kids() []string {
	var kids []string
	for _, key := range d.Keys {
		kids = append(kids, key.Kid)
	}
	return kids
}

// key returns the public key of that kid, from n and e.
func (d document) key(kid string) (*rsa.PublicKey, error) {
	for _, key := range d.Keys {
		if key.Kid != kid {
			continue
		}
		n, errN := base64.RawURLEncoding.DecodeString(key.N)
		e, errE := base64.RawURLEncoding.DecodeString(key.E)
		if err := errors.Join(errN, errE); err != nil {
			return nil, err
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
	}
	return nil, fmt.Errorf("kid %s isn't published", kid)
}

// A parsedToken is a token taken apart, not verified.
type parsedToken struct {
	header, claims   map[string]any // numbers are json.Number
	input, signature []byte
}

func parse(t *testing.T, token string) parsedToken {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token has %d parts, want 3: %s", len(parts), token)
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			t.Fatalf("part %d of %s: %v", i, token, err)
		}
	}
	parsed := parsedToken{input: []byte(parts[0] + "." + parts[1]), signature: decoded[2]}
	for i, members := range []*map[string]any{&parsed.header, &parsed.claims} {
		decoder := json.NewDecoder(bytes.NewReader(decoded[i]))
		decoder.UseNumber()
		if err := decoder.Decode(members); err != nil {
			t.Fatalf("part %d of %s: %v", i, token, err)
		}
	}
	return parsed
}

// verify checks an RS256 signature with the key that the document publishes
// under the token's kid.
func (p parsedToken) verify(published document) error {
	kid, _ := p.header["kid"].(string)
	key, err := published.key(kid)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(p.input)
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], p.signature)
}

func names[V any](members map[string]V) []string {
	return slices.Sorted(maps.Keys(members))
}

// panicOf returns what f panics with, or nil.
func panicOf(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}
