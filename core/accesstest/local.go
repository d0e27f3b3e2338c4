package accesstest

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
)

// NewLocalTeam returns a team that has no listener of its own, whose tokens name
// issuer: a URL without a path, such as "http://127.0.0.1:8000", at which the caller
// mounts the team as an [net/http.Handler]. Its URL is empty, and closing it is not
// required.
//
// keys is what [Team.MarshalKeys] returned earlier. The team has new keys if it is
// empty.
func NewLocalTeam(issuer string, keys []byte) (*Team, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || issuer != u.Scheme+"://"+u.Host {
		return nil, fmt.Errorf("accesstest: issuer %q is not a URL such as http://127.0.0.1:8000", issuer)
	}
	if len(keys) == 0 {
		previous, current := newKeys(u.Host)
		return newTeam(u.Host, issuer, previous, current), nil
	}
	var loaded []*key
	for len(keys) > 0 {
		var block *pem.Block
		if block, keys = pem.Decode(keys); block == nil || block.Type != "PRIVATE KEY" {
			return nil, errors.New("accesstest: the keys are not PEM blocks of private keys")
		}
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("accesstest: private key: %w", err)
		}
		private, isRSA := parsed.(*rsa.PrivateKey)
		if !isRSA || private.N.BitLen() < 2048 {
			return nil, errors.New("accesstest: a private key is not an RSA key of 2048 bits or more")
		}
		loaded = append(loaded, keyOf(u.Host, private))
	}
	switch len(loaded) {
	case 1: // the previous one was withdrawn
		t := newTeam(u.Host, issuer, newKey(u.Host), loaded[0])
		t.Withdraw()
		return t, nil
	case 2:
		return newTeam(u.Host, issuer, loaded[0], loaded[1]), nil
	}
	return nil, fmt.Errorf("accesstest: %d private keys, want one or two", len(loaded))
}

// MarshalKeys returns the private keys that the team publishes, the current one
// last, as PEM blocks of PKCS #8, for [NewLocalTeam].
func (t *Team) MarshalKeys() []byte {
	var keys []byte
	for _, k := range t.published() {
		der := must(x509.MarshalPKCS8PrivateKey(k.private))
		keys = append(keys, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	}
	return keys
}
