package core

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// BenchmarkVerify is the cost of a token, by what is wrong with it. Compare it
// with BenchmarkFloor in the same run.
func BenchmarkVerify(b *testing.B) {
	good := signUser()
	for _, bench := range []struct {
		name, token string
		change      func(*Config)
		want        error
	}{
		{"repeated", good, quiet, nil},
		{"first", good, noCache, nil},
		{"expired", signUser(withExpiry(time.Now().Add(-time.Hour))), quiet, ErrExpired},
		{"audience", team.SignUser(otherAudience, "ada@example.com"), quiet, ErrAudience},
		{"forged", signUser(forged), quiet, ErrSignature},
		{"unknown-kid", signUser(withHeader("kid", strings.Repeat("0", 64))), quiet, ErrUnknownKey},
		{"foreign-issuer", signUser(withHeader("kid", "x"), withClaim("iss", "https://x.cloudflareaccess.com")), quiet, ErrUnknownKey},
		{"malformed", strings.Repeat("A", 8<<10), quiet, ErrMalformed},
		{"malformed-header", strings.Repeat("A", 512) + "..", quiet, ErrMalformed},
		{"oversized", strings.Repeat("A", 64<<10), quiet, ErrMalformed},
	} {
		b.Run("case="+bench.name, func(b *testing.B) {
			r := newRig(b, quiet, bench.change)
			r.refresh(b)
			for range 2 {
				_, err := r.Verify(b.Context(), bench.token)
				wantClass(b, err, bench.want)
			}
			b.ReportAllocs()
			for b.Loop() {
				_, _ = r.Verify(b.Context(), bench.token)
			}
		})
	}
}

// BenchmarkFloor is what a verification costs at least.
func BenchmarkFloor(b *testing.B) {
	token := signUser()
	r := newRig(b, quiet)
	r.refresh(b)
	jwk := r.keys.state.Load().set.keys[team.KeyID()]

	b.Run("case=map-lookup", func(b *testing.B) {
		var mu sync.RWMutex
		tokens := make(map[string]*Claims)
		for i := range 8192 {
			tokens[fmt.Sprintf("%s%032d", token[:len(token)-32], i)] = &Claims{}
		}
		wanted := fmt.Sprintf("%s%032d", token[:len(token)-32], 4711) // memory of its own
		b.ReportAllocs()
		for b.Loop() {
			mu.RLock()
			claims := tokens[wanted]
			mu.RUnlock()
			if claims == nil {
				b.Fatal("not found")
			}
		}
	})
	b.Run("case=rsa", func(b *testing.B) {
		end := strings.LastIndexByte(token, '.')
		signature, err := base64.RawURLEncoding.DecodeString(token[end+1:])
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			digest := sha256.Sum256([]byte(token[:end]))
			if err := rsa.VerifyPKCS1v15(jwk.Key().(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("case=golang-jwt+keyfunc", func(b *testing.B) {
		storage := jwkset.NewMemoryStorage()
		if err := storage.KeyWrite(b.Context(), *jwk); err != nil {
			b.Fatal(err)
		}
		keys, err := keyfunc.New(keyfunc.Options{Storage: storage})
		if err != nil {
			b.Fatal(err)
		}
		parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithStrictDecoding(), jwt.WithIssuer(testIssuer),
			jwt.WithAudience(testAudience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(30*time.Second))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := parser.ParseWithClaims(token, &Claims{}, keys.Keyfunc); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// forgedShapes are JSON members that fill so many bytes.
var forgedShapes = []struct {
	name string
	fill func(room int) string
}{
	{"arrays", func(n int) string { return `"x":` + strings.Repeat("[", n/2-2) + strings.Repeat("]", n/2-2) }},
	{"objects", func(n int) string { return strings.Repeat(`"x":{`, n/6) + strings.Repeat("}", n/6) }},
	{"commas", func(n int) string { return `"x":[0` + strings.Repeat(",0", n/2-4) + "]" }},
	{"keys", func(n int) string {
		var b strings.Builder
		for i := 0; b.Len() < n-12; i++ {
			fmt.Fprintf(&b, `"%x":0,`, i)
		}
		return b.String() + `"x":0`
	}},
	{"number", func(n int) string { return `"x":` + strings.Repeat("1", n-4) }},
	{"escapes", func(n int) string { return `"x":"` + strings.Repeat(`\n`, n/2-3) + `"` }},
}

// BenchmarkForged is the cost of tokens that anybody can make, of 8 KiB with the
// JSON in the payload, or with a header of 512 bytes. The metric x is the multiple
// of the first of them, an ordinary forged token: at most 5.
func BenchmarkForged(b *testing.B) {
	const foreign = "https://x.cloudflareaccess.com"
	genuine := strings.Split(signUser(forged), ".")
	var ordinary float64
	for _, kid := range []struct{ name, id, issuer string }{
		{"known", team.KeyID(), testIssuer},
		{"unknown", strings.Repeat("0", 64), testIssuer},
		{"foreign", strings.Repeat("0", 64), foreign},
	} {
		header := func(more string) string { return fmt.Sprintf(`{"alg":"RS256","kid":%q%s}`, kid.id, more) }
		payload := func(more string) string {
			return fmt.Sprintf(`{"type":"app","aud":[%q],"email":"eve@example.com","exp":4102444800,"sub":"x","iss":%q%s}`, testAudience, kid.issuer, more)
		}
		join := func(header, payload string) string {
			return encodeSegment([]byte(header)) + "." + encodeSegment([]byte(payload)) + "." + genuine[2]
		}
		run := func(in, shape, token string) {
			b.Run(fmt.Sprintf("kid=%s/in=%s/shape=%s", kid.name, in, shape), func(b *testing.B) {
				if len(token) > maxToken || strings.IndexByte(token, '.') > maxHeader {
					b.Fatalf("a token of %d bytes", len(token))
				}
				r := newRig(b, quiet)
				r.refresh(b)
				want := ErrUnknownKey
				if kid.name == "known" {
					want = ErrSignature
				}
				_, err := r.Verify(b.Context(), token)
				wantClass(b, err, want)
				b.ReportAllocs()
				for b.Loop() {
					_, _ = r.Verify(b.Context(), token)
				}
				each := float64(b.Elapsed()) / float64(b.N)
				if ordinary == 0 {
					ordinary = each
				}
				b.ReportMetric(each/ordinary, "x")
			})
		}
		run("payload", "ordinary", join(header(""), payload("")))
		for _, shape := range forgedShapes {
			room := (maxToken-len(genuine[2])-2-base64.RawURLEncoding.EncodedLen(len(header(""))))/4*3 - len(payload(",")) - 2
			run("payload", shape.name, join(header(""), payload(","+shape.fill(room))))
		}
		for _, shape := range forgedShapes {
			run("header", shape.name, join(header(","+shape.fill(maxHeader/4*3-len(header(",")))), payload("")))
		}
	}
}

// BenchmarkVerifyParallel: a hit takes no lock that the other cores wait for. Run
// it with -cpu 1,2.
func BenchmarkVerifyParallel(b *testing.B) {
	r := newRig(b, quiet)
	tokens := manyTokens()
	for _, token := range tokens {
		verified(b, r, token)
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			_, _ = r.Verify(context.Background(), tokens[i%len(tokens)])
		}
	})
}
