package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"math/rand/v2"
)

// A signing is how a token is signed, whatever its header says of it.
type signing struct {
	key    key
	method method
}

// A method returns the signature of input.
type method func(keys *keyring, k key, input []byte) []byte

func rs256(_ *keyring, k key, input []byte) []byte {
	digest := sha256.Sum256(input)
	return pkcs1(k, crypto.SHA256, digest[:])
}

func rs384(_ *keyring, k key, input []byte) []byte {
	digest := sha512.Sum384(input)
	return pkcs1(k, crypto.SHA384, digest[:])
}

func rs512(_ *keyring, k key, input []byte) []byte {
	digest := sha512.Sum512(input)
	return pkcs1(k, crypto.SHA512, digest[:])
}

func rs1(_ *keyring, k key, input []byte) []byte {
	digest := sha1.Sum(input)
	return pkcs1(k, crypto.SHA1, digest[:])
}

// bare leaves out which hash it is that PKCS #1 v1.5 signs.
func bare(_ *keyring, k key, input []byte) []byte {
	digest := sha256.Sum256(input)
	return pkcs1(k, 0, digest[:])
}

func ps256(_ *keyring, k key, input []byte) []byte {
	digest := sha256.Sum256(input)
	salt := rand.NewChaCha8(digest) // no other: the same token every time
	signature, err := rsa.SignPSS(salt, k.private, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: 32})
	if err != nil {
		panic(err) // the keys are large enough
	}
	return signature
}

func pkcs1(k key, hash crypto.Hash, digest []byte) []byte {
	signature, err := rsa.SignPKCS1v15(nil, k.private, hash, digest)
	if err != nil {
		panic(err) // the keys are large enough
	}
	return signature
}

// es256 signs with a key of another kind.
func es256(keys *keyring, _ key, input []byte) []byte {
	digest := sha256.Sum256(input)
	der, err := keys.elliptic.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		panic(err) // P-256 signs every digest
	}
	r, s := new(big.Int).SetBytes(der[4:4+der[3]]), new(big.Int).SetBytes(der[6+der[3]:])
	signature := make([]byte, 64) // RFC 7518 section 3.4
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	if !ecdsa.Verify(&keys.elliptic.PublicKey, digest[:], r, s) {
		panic("the signature in DER was not understood")
	}
	return signature
}

// unsigned is alg none.
func unsigned(*keyring, key, []byte) []byte { return nil }

// hs256 takes a public form of the key for a secret.
func hs256(form func(*rsa.PublicKey) []byte) method {
	return func(_ *keyring, k key, input []byte) []byte {
		mac := hmac.New(sha256.New, form(&k.private.PublicKey))
		mac.Write(input)
		return mac.Sum(nil)
	}
}

func publicDER(k *rsa.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		panic(err) // an RSA key has that form
	}
	return der
}

func publicPEM(k *rsa.PublicKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER(k)})
}

func publicPKCS1(k *rsa.PublicKey) []byte { return x509.MarshalPKCS1PublicKey(k) }
func modulus(k *rsa.PublicKey) []byte     { return k.N.Bytes() }
