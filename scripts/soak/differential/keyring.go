package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"sync"
)

// A key is an RSA key under the key id that a header gives it.
type key struct {
	id      string
	private *rsa.PrivateKey
}

// A keyring has everybody's keys. They come from the seed, so that a token of a
// run can be made again: for tests they are good enough, for nothing else.
type keyring struct {
	current, previous key // published and good

	withdrawn key // published once
	stranger  key // never published
	otherTeam key // published by another team

	// Published, and not to be used for an Access token.
	weak          key // 1024 bits
	smallExponent key // 3
	encryption    key // its use is enc
	otherAlg      key // its alg is RS512

	elliptic *ecdsa.PrivateKey // a stranger's, for ES256
}

func newKeyring(seed uint64) *keyring {
	k := &keyring{}
	var group sync.WaitGroup
	for i, want := range []struct {
		to       *key
		bits     int
		exponent int64
	}{
		{&k.current, 2048, 65537},
		{&k.previous, 2048, 65537},
		{&k.withdrawn, 2048, 65537},
		{&k.stranger, 2048, 65537},
		{&k.otherTeam, 2048, 65537},
		{&k.weak, 1024, 65537},
		{&k.smallExponent, 2048, 3},
	} {
		group.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			*want.to = newKey(r, want.bits, want.exponent)
		})
	}
	group.Wait()
	k.encryption = key{keyID("encryption", seed), k.current.private}
	k.otherAlg = key{keyID("other alg", seed), k.current.private}
	k.elliptic = newElliptic(rand.New(rand.NewPCG(seed, 99)))
	return k
}

func keyID(of string, seed uint64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", of, seed))
	return hex.EncodeToString(sum[:])
}

// newKey does what rsa.GenerateKey does, which takes no seed.
func newKey(r *rand.Rand, bits int, exponent int64) key {
	one, e := big.NewInt(1), big.NewInt(exponent)
	for {
		p, q := newPrime(r, bits/2), newPrime(r, bits/2)
		n := new(big.Int).Mul(p, q)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(e, phi)
		if d == nil || n.BitLen() != bits {
			continue
		}
		private := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: int(exponent)}, D: d, Primes: []*big.Int{p, q}}
		private.Precompute()
		if private.Validate() != nil {
			continue
		}
		sum := sha256.Sum256(n.Bytes())
		return key{hex.EncodeToString(sum[:]), private}
	}
}

func newPrime(r *rand.Rand, bits int) *big.Int {
	for {
		candidate := new(big.Int).SetBytes(randomBytes(r, bits/8))
		candidate.SetBit(candidate, bits-1, 1).SetBit(candidate, bits-2, 1).SetBit(candidate, 0, 1)
		if candidate.ProbablyPrime(8) {
			return candidate
		}
	}
}

func newElliptic(r *rand.Rand) *ecdsa.PrivateKey {
	for {
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), randomBytes(r, 32))
		if err == nil {
			return private
		}
	}
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// usable are the keys that may sign an Access token, by key id.
func (k *keyring) usable() map[string]*rsa.PublicKey {
	return map[string]*rsa.PublicKey{
		k.current.id:  &k.current.private.PublicKey,
		k.previous.id: &k.previous.private.PublicKey,
	}
}

// certs returns the certs document, or what it was before a key was withdrawn.
func (k *keyring) certs(beforeWithdrawal bool) []byte {
	jwks := []map[string]string{
		k.previous.jwk("RS256", "sig"), k.current.jwk("RS256", "sig"),
		k.weak.jwk("RS256", "sig"), k.smallExponent.jwk("RS256", "sig"),
		k.encryption.jwk("RS256", "enc"), k.otherAlg.jwk("RS512", "sig"),
	}
	if beforeWithdrawal {
		jwks = append(jwks, k.withdrawn.jwk("RS256", "sig"))
	}
	document, err := json.Marshal(map[string]any{"keys": jwks})
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return document
}

// jwk is the public half as RFC 7517 has it.
func (k key) jwk(alg, use string) map[string]string {
	encode := base64.RawURLEncoding.EncodeToString
	return map[string]string{
		"kid": k.id, "kty": "RSA", "alg": alg, "use": use,
		"n": encode(k.private.N.Bytes()), "e": encode(big.NewInt(int64(k.private.E)).Bytes()),
	}
}
