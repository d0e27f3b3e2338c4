package differential

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// A key is an RSA key as the certs document has it. It lives as long as the process.
type key struct {
	id, alg, use string
	private      *rsa.PrivateKey
	unfit        []*class // the rule that a token by this key breaks, if any
}

var (
	current, previous = newKey("c", 2048), newKey("p", 2048)
	// Published, and not to be used for an Access token.
	weak       = newKey("1", 1024, unfitKey)
	encryption = key{strings.Repeat("e", 64), "RS256", "enc", current.private, []*class{unfitKey}}
	forRS512   = key{strings.Repeat("5", 64), "RS512", "sig", current.private, []*class{unfitKey}}
	exponent3  = newExponent3()
	published  = []key{current, previous, weak, encryption, forRS512, exponent3}
	// One that was published once, and one that never was.
	withdrawn, stranger = newKey("w", 2048), newKey("s", 2048)
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newKey(digit string, bits int, unfit ...*class) key {
	return key{strings.Repeat(digit, 64), "RS256", "sig", must(rsa.GenerateKey(rand.Reader, bits)), unfit}
}

func newExponent3() key {
	k := newKey("3", 2048, smallExponent)
	phi := new(big.Int).Add(k.private.N, big.NewInt(1))
	phi.Sub(phi, k.private.Primes[0]).Sub(phi, k.private.Primes[1])
	d := new(big.Int).ModInverse(big.NewInt(3), phi)
	if d == nil {
		return newExponent3() // its primes don't allow it
	}
	k.private = &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: k.private.N, E: 3}, D: d, Primes: k.private.Primes}
	return k
}

// signs is an edit of who signs and how. The header says kid and alg.
func signs(method jwt.SigningMethod, by any, kid, alg string, classes ...*class) edit {
	name := method.Alg() + " signature, kid " + kid[:1] + ", alg " + alg
	return edit{"signature", name, func(_ string, t *token) string {
		t.method, t.key, t.kid, t.alg = method, by, kid, alg
		return name
	}, classes}
}

func signingEdits() []edit {
	rs256, rs512, own, c := jwt.SigningMethodRS256, jwt.SigningMethodRS512, current.private, current.id
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(&own.PublicKey))})
	edits := []edit{
		signs(rs256, withdrawn.private, withdrawn.id, "RS256", unpublished), signs(rs256, withdrawn.private, c, "RS256", forged),
		signs(rs256, stranger.private, stranger.id, "RS256", unpublished), signs(rs256, stranger.private, c, "RS256", forged),
		signs(rs512, own, forRS512.id, "RS256", rs512Key), signs(rs512, own, forRS512.id, "RS512", rs512Key),
	}
	for i, alg := range []string{"HS256", "none", "RS384", "RS512", "PS256"} {
		by := []any{public, jwt.UnsafeAllowNoneSignatureType, own, own, own}[i]
		edits = append(edits, signs(jwt.GetSigningMethod(alg), by, c, "RS256", forged), signs(jwt.GetSigningMethod(alg), by, c, alg, forged, otherAlg))
	}
	for _, by := range published {
		for _, as := range published {
			classes := slices.Clone(as.unfit)
			if by.private != as.private {
				classes = append(classes, otherKey)
			}
			edits = append(edits, signs(rs256, by.private, as.id, "RS256", classes...))
		}
	}
	return edits
}
