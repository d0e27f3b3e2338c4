package core

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cfaccess/cfaccess/core/accesstest"
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

// A thousand requests with a token that is new to all of them pay for one
// verification, and nobody waits for more than that one.
func TestOneVerificationServesAllWhoBringTheToken(t *testing.T) {
	const requests = 1000
	good := &remembered{claims: &Claims{}}
	for name, want := range map[string]error{"a good token": nil, "a forged token": ErrSignature} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, err := newMemory(8)
				if err != nil {
					t.Fatal(err)
				}
				var verifications atomic.Int64
				judge := func() (*remembered, error) {
					verifications.Add(1)
					time.Sleep(time.Second) // in the bubble: long enough for all to come
					if want != nil {
						return nil, want
					}
					return good, nil
				}
				token := strings.Repeat("x", 900)
				arrived := time.Now()
				var crowd sync.WaitGroup
				for range requests {
					crowd.Go(func() {
						r, err := m.learn(strings.Clone(token), judge)
						if !errors.Is(err, want) || want == nil && r != good {
							t.Errorf("got %v, %v", r, err)
						}
					})
				}
				crowd.Wait()
				if n := verifications.Load(); n != 1 {
					t.Errorf("%d verifications for %d requests", n, requests)
				}
				if waited := time.Since(arrived); waited != time.Second {
					t.Errorf("waited %v for a verification of a second", waited)
				}
				if isRemembered := m.find(token) != nil; isRemembered != (want == nil) {
					t.Errorf("remembered: %v", isRemembered)
				}
			})
		})
	}
}

// A request may join one that came while other keys were published. Their answer
// is not taken: the key of that id is another by now.
func TestAnAnswerByOtherKeysIsNotTaken(t *testing.T) {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	certs := team.Certs()
	synctest.Test(t, func(t *testing.T) {
		token := team.SignUser("ours", "ada@example.com")
		v, err := New(Config{Team: "acme", Audiences: []string{"ours"}, HTTPClient: &http.Client{Transport: transportFunc(
			func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(certs))}, nil
			},
		)}})
		if err != nil {
			t.Fatal(err)
		}
		before := &remembered{
			claims: &Claims{Email: "eve@example.com"}, keyID: team.KeyID(), until: time.Now().Add(time.Hour),
			set: &keySet{public: map[string]*rsa.PublicKey{team.KeyID(): {}}},
		}
		var both sync.WaitGroup
		release := make(chan struct{})
		both.Go(func() {
			_, _ = v.memory.learn(token, func() (*remembered, error) { <-release; return before, nil })
		})
		synctest.Wait()
		both.Go(func() {
			claims, err := v.Verify(t.Context(), token)
			if err != nil || claims.Email != "ada@example.com" {
				t.Errorf("got %v, %v", claims, err)
			}
		})
		synctest.Wait() // it has joined
		close(release)
		both.Wait()
	})
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
