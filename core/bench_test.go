package core_test

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

func quiet(c *core.Config) { c.Logger = slog.New(slog.DiscardHandler) }

func forgetful(c *core.Config) { c.TokenCacheBytes = -1 }

// BenchmarkVerify is what a token costs, by what is wrong with it. The bare case
// is golang-jwt as one would use it by hand, with those of our checks that it
// has and a key that needs no looking up.
func BenchmarkVerify(b *testing.B) {
	team := newTeam(b)
	token := team.SignUser(testAudience, "ada@example.com")
	expired := team.SignUser(testAudience, "ada@example.com", accesstest.WithExpiry(time.Now().Add(-time.Hour)))

	for _, bench := range []struct {
		name   string
		token  string
		change func(*core.Config)
		want   error
	}{
		{"remembered", token, quiet, nil},
		{"first time", token, forgetful, nil},
		{"expired", expired, quiet, core.ErrExpired},
		{"forged", team.SignUser(testAudience, "ada@example.com", accesstest.SignedByStranger()), quiet, core.ErrSignature},
		{"unknown kid", team.SignUser(testAudience, "ada@example.com", accesstest.WithHeader("kid", strings.Repeat("0", 64))), quiet, core.ErrUnknownKey},
		{"malformed 8 KiB", strings.Repeat("A", 8<<10), quiet, core.ErrMalformed},
		{"malformed 8 KiB header", strings.Repeat("A", 8<<10-2) + "..", quiet, core.ErrMalformed},
		{"malformed 8 KiB header of JSON", headerOfJSON(team, 8<<10), quiet, core.ErrMalformed},
		{"malformed 8 KiB payload of JSON", payloadOfJSON(token, 8<<10), quiet, core.ErrMalformed},
		{"oversized", strings.Repeat("A", 64<<10), quiet, core.ErrMalformed},
	} {
		b.Run(bench.name, func(b *testing.B) {
			v := newVerifier(b, team, quiet, bench.change)
			wantBenchmarked(b, v, bench.token, bench.want)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = v.Verify(b.Context(), bench.token)
			}
		})
	}

	b.Run("bare golang-jwt", func(b *testing.B) {
		key := currentKey(b, team)
		parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithStrictDecoding(), jwt.WithIssuer(team.Issuer()),
			jwt.WithAudience(testAudience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(30*time.Second))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := parser.Parse(token, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkVerifyParallel: a hit takes no lock that the other cores wait for.
// Run it with -cpu 1,2.
func BenchmarkVerifyParallel(b *testing.B) {
	team := newTeam(b)
	v := newVerifier(b, team, quiet)
	tokens := make([]string, 64)
	for i := range tokens {
		tokens[i] = team.SignUser(testAudience, fmt.Sprintf("user%d@example.com", i))
		wantBenchmarked(b, v, tokens[i], nil)
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			_, _ = v.Verify(context.Background(), tokens[i%len(tokens)])
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	team := newTeam(b)
	token := team.SignUser(testAudience, "ada@example.com")
	for name, headers := range map[string]http.Header{
		"header": {core.TokenHeader: {token}},
		"cookie": {"Cookie": {"theme=dark; CF_Authorization=" + token}},
		"none":   {},
		"flood":  {"Cookie": {strings.Repeat("CF_Authorization=x; ", 10_000)}},
	} {
		b.Run(name, func(b *testing.B) {
			v := newVerifier(b, team, quiet)
			_, _ = v.Authenticate(b.Context(), headers)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = v.Authenticate(b.Context(), headers)
			}
		})
	}
}

// headerOfJSON returns a token whose header is JSON up to its last byte.
func headerOfJSON(team *accesstest.Team, size int) string {
	token := team.SignUser(testAudience, "ada@example.com", accesstest.WithHeader("x", strings.Repeat("x", size/2)))
	header, _, _ := strings.Cut(token, ".")
	return header[:len(header)-4] + ".e30.e30"
}

// payloadOfJSON returns a token with the header and the signature of good, and a
// payload that is JSON up to its last byte.
func payloadOfJSON(good string, size int) string {
	parts := strings.Split(good, ".")
	room := (size - len(parts[0]) - len(parts[2]) - len("..")) / 4 * 3
	payload := `{"x":"` + strings.Repeat("x", room-len(`{"x":"",`)) + `",`
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "." + parts[2]
}

// currentKey reads the key with which the team signs, by means that aren't ours.
func currentKey(b *testing.B, team *accesstest.Team) *rsa.PublicKey {
	b.Helper()
	var document struct {
		Certificate struct {
			PEM string `json:"cert"`
		} `json:"public_cert"`
	}
	if err := json.Unmarshal(team.Certs(), &document); err != nil {
		b.Fatal(err)
	}
	key, err := jwt.ParseRSAPublicKeyFromPEM([]byte(document.Certificate.PEM))
	if err != nil {
		b.Fatal(err)
	}
	return key
}

func wantBenchmarked(b *testing.B, v *core.Verifier, token string, want error) {
	b.Helper()
	for range 2 {
		_, err := v.Verify(b.Context(), token)
		if want == nil && err != nil || want != nil && !errors.Is(err, want) {
			b.Fatalf("got %v, want %v", err, want)
		}
	}
}
