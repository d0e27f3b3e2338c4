package bench

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/scripts/peers"
)

// A verifier is a library, or a lower bound for all libraries.
type verifier struct {
	name string
	// setUp returns a function that verifies tokens[i]. Its goroutines end with
	// ctx.
	setUp func(ctx context.Context, team *accesstest.Team, tokens []string) (func(i int) error, error)
}

// fromLibrary returns a verifier that has the team's keys.
func fromLibrary(library peers.Library) verifier {
	setUp := func(ctx context.Context, team *accesstest.Team, tokens []string) (func(i int) error, error) {
		verify, err := library.New(ctx, peers.Site{URL: team.URL, Issuer: team.Issuer()})
		if err != nil {
			return nil, err
		}
		// Some libraries fetch the keys with the first token.
		if err := verify(ctx, team.SignUser(peers.Audience, "first@example.com")); err != nil {
			return nil, err
		}
		return func(i int) error { return verify(ctx, tokens[i]) }, nil
	}
	return verifier{strings.ReplaceAll(library.Name, " ", ""), setUp}
}

// cachedTokens is how many tokens the map of a lower bound holds.
const cachedTokens = 8192

var mapLookup = verifier{"map", func(_ context.Context, _ *accesstest.Team, tokens []string) (func(i int) error, error) {
	var mu sync.RWMutex
	cache := newCache(tokens)
	return func(i int) error {
		mu.RLock()
		defer mu.RUnlock()
		if cache[tokens[i]] == nil {
			return errors.New("not in the map")
		}
		return nil
	}, nil
}}

// newCache returns a map of cachedTokens tokens with the given ones among them.
// A key is a copy: a request's token never shares memory with it, and comparing
// two pointers would not do.
func newCache(tokens []string) map[string]*core.Claims {
	cache := make(map[string]*core.Claims, cachedTokens)
	for _, token := range tokens {
		cache[strings.Clone(token)] = &core.Claims{}
	}
	for i := len(tokens); i < cachedTokens; i++ {
		cache[fmt.Sprintf("%s%06d", tokens[0][:len(tokens[0])-6], i)] = &core.Claims{}
	}
	return cache
}

var rsaVerify = verifier{"rsa", func(_ context.Context, team *accesstest.Team, tokens []string) (func(i int) error, error) {
	key, err := publicKey(team)
	if err != nil {
		return nil, err
	}
	type signed struct{ digest, signature []byte }
	all := make([]signed, len(tokens))
	for i, token := range tokens {
		dot := strings.LastIndexByte(token, '.')
		signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
		if err != nil {
			return nil, err
		}
		digest := sha256.Sum256([]byte(token[:dot]))
		all[i] = signed{digest[:], signature}
	}
	return func(i int) error {
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, all[i].digest, all[i].signature)
	}, nil
}}

// publicKey returns the key that the team signs with.
func publicKey(team *accesstest.Team) (*rsa.PublicKey, error) {
	keys, err := keyfunc.NewJWKSetJSON(team.Certs())
	if err != nil {
		return nil, err
	}
	key, err := keys.Keyfunc(&jwt.Token{Header: map[string]any{"alg": "RS256", "kid": team.KeyID()}})
	if err != nil {
		return nil, err
	}
	return key.(*rsa.PublicKey), nil
}

// tokenLimit is the size of the largest token that cfaccess decodes.
const tokenLimit = 8 << 10

// malformed returns a string of the largest size that is not a token.
func malformed() string { return strings.Repeat("A", tokenLimit) }

// withNestedPayload returns a token of the largest size with the header and the
// signature of forged. Its payload is an array in an array, and so on: the most
// expensive JSON to decode.
func withNestedPayload(forged string) string {
	parts := strings.Split(forged, ".")
	const start, end = `{"custom":{"a":`, `}}`
	room := (tokenLimit-len(parts[0])-len(parts[2])-len(".."))/4*3 - len(start+end)
	payload := start + strings.Repeat("[", room/2) + strings.Repeat("]", room/2) + end
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "." + parts[2]
}
