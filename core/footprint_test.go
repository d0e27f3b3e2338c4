//go:build !race

package core

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A million sessions leave behind what fits the memory, at no more than 3 KiB
// each, token and claims included. The race detector needs memory too, so this
// file is built without it.
func TestAllocationsOfAMillionSessionsAreBounded(t *testing.T) {
	const size, sessions = 8192, 1_000_000
	m, err := newMemory(size)
	if err != nil {
		t.Fatal(err)
	}
	filler := strings.Repeat("x", 900)
	visit := func(i int) {
		token := fmt.Sprintf("%s.%d", filler, i)
		_, err := m.learn(token, func() (*remembered, error) {
			// As the verifier leaves them: every string is its own.
			p := new(payload) // of which the claims are a part
			p.Claims = Claims{
				RegisteredClaims: jwt.RegisteredClaims{
					Issuer:    strings.Clone("https://acme.cloudflareaccess.com"),
					Subject:   strings.Clone("7335d417-61da-459d-899c-0a01c76a2f94"),
					Audience:  jwt.ClaimStrings{strings.Clone("32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228")},
					ExpiresAt: jwt.NewNumericDate(time.Now()),
					NotBefore: jwt.NewNumericDate(time.Now()),
					IssuedAt:  jwt.NewNumericDate(time.Now()),
				},
				Type: strings.Clone("app"), Email: fmt.Sprintf("user%d@example.com", i), IdentityNonce: strings.Clone("6ei69kawdKzMIAPF"),
				Country: strings.Clone("US"), origin: &origin{token: token},
			}
			return newRemembered(&p.Claims, strings.Clone("1a1c3986"), nil, 0), nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	before := heapInUse()
	for i := range sessions {
		visit(i)
	}
	after := heapInUse()
	if each := (after - before) / size; each > 3<<10 {
		t.Errorf("%d bytes for each of %d remembered tokens", each, size)
	}
	runtime.KeepAlive(m)
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
