package accesstest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"time"
)

// A key signs tokens. It never changes.
type key struct {
	id          string // 64 lower-case hex digits
	private     *rsa.PrivateKey
	public      []byte // PEM
	certificate []byte // PEM, self-signed
}

// newKey generates a key of the team domain host.
func newKey(host string) *key { return keyOf(host, generate()) }

// generate returns a private key of the size of Access's keys.
func generate() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) }

// keyOf returns the key of the team domain host that has this private key. The
// same private key has the same id.
func keyOf(host string, private *rsa.PrivateKey) *key {
	public := must(x509.MarshalPKIXPublicKey(&private.PublicKey))
	now := time.Now()
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: host},
		NotBefore: now,
		NotAfter:  now.AddDate(1, 0, 0),
	}
	certificate := must(x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private))
	sum := sha256.Sum256(public)
	return &key{
		id:          hex.EncodeToString(sum[:]),
		private:     private,
		public:      pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
	}
}

// newKeys generates two keys at the same time: a new team waits for nothing else.
// The certificate of the current one is never the older one.
func newKeys(host string) (previous, current *key) {
	private := make(chan *rsa.PrivateKey, 1)
	go func() { private <- generate() }()
	newest := generate()
	return keyOf(host, <-private), keyOf(host, newest) // calls are in this order
}

// must is for what fails only where the machine does.
func must[T any](value T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("accesstest: %v", err))
	}
	return value
}

// sign returns the RS256 signature of input.
func (k *key) sign(input []byte) []byte {
	digest := sha256.Sum256(input)
	return must(rsa.SignPKCS1v15(nil, k.private, crypto.SHA256, digest[:]))
}

// verifies reports whether signature is k's RS256 signature of input.
func (k *key) verifies(input, signature []byte) bool {
	digest := sha256.Sum256(input)
	return rsa.VerifyPKCS1v15(&k.private.PublicKey, crypto.SHA256, digest[:], signature) == nil
}

// Rotate generates a new current key. The key that was current becomes the
// previous one and stays published, as Access does for seven days. The one
// before that is dropped.
func (t *Team) Rotate() {
	next := newKey(t.host) // before the lock: others go on signing meanwhile
	t.mu.Lock()
	defer t.mu.Unlock()
	t.previous, t.current, t.withdrawn = t.current, next, false
}

// Withdraw stops publishing the previous key, as Access does when its seven
// days are over. [SignedByPreviousKey] goes on signing with it. The next Rotate
// publishes two keys again.
func (t *Team) Withdraw() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.withdrawn = true
}

// KeyID returns the kid of the current key: 64 lower-case hex digits.
func (t *Team) KeyID() string {
	_, current := t.keys()
	return current.id
}

func (t *Team) keys() (previous, current *key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.previous, t.current
}

// published returns the keys of the certs document, the current one last.
func (t *Team) published() []*key {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.withdrawn {
		return []*key{t.current}
	}
	return []*key{t.previous, t.current}
}
