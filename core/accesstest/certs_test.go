package accesstest_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"slices"
	"testing"
)

// The document has the names of Access's document, and no others.
func TestCertsNames(t *testing.T) {
	t.Parallel()
	var got struct {
		Keys        []map[string]string `json:"keys"`
		PublicCert  map[string]string   `json:"public_cert"`
		PublicCerts []map[string]string `json:"public_certs"`
	}
	decoder := json.NewDecoder(bytes.NewReader(sharedTeam().Certs()))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if len(got.Keys) != 2 || len(got.PublicCerts) != 2 {
		t.Errorf("%d keys and %d certificates, want 2 of each", len(got.Keys), len(got.PublicCerts))
	}
	for _, key := range got.Keys {
		if got, want := names(key), []string{"alg", "e", "kid", "kty", "n", "use"}; !slices.Equal(got, want) {
			t.Errorf("the names of a key are %q, want %q", got, want)
		}
	}
	for _, certificate := range append(got.PublicCerts, got.PublicCert) {
		if got, want := names(certificate), []string{"cert", "kid"}; !slices.Equal(got, want) {
			t.Errorf("the names of a certificate are %q, want %q", got, want)
		}
	}
}

func TestCertsKeys(t *testing.T) {
	t.Parallel()
	published := parseDocument(t, sharedTeam().Certs())
	for i, key := range published.Keys {
		if key.Kty != "RSA" || key.Alg != "RS256" || key.Use != "sig" || key.E != "AQAB" {
			t.Errorf("key %d is %+v", i, key)
		}
		public, err := published.key(key.Kid)
		if err != nil {
			t.Fatal(err)
		}
		if got := public.N.BitLen(); got != 2048 {
			t.Errorf("key %d has %d bits, want 2048", i, got)
		}
		encoded, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(encoded); key.Kid != hex.EncodeToString(sum[:]) {
			t.Errorf("key %d: kid %s isn't the SHA-256 of the key", i, key.Kid)
		}

		certificate := published.PublicCerts[i]
		block, rest := pem.Decode([]byte(certificate.Cert))
		if certificate.Kid != key.Kid || block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
			t.Fatalf("certificate %d is %+v", i, certificate)
		}
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatalf("certificate %d: %v", i, err)
		}
		if !public.Equal(parsed.PublicKey.(*rsa.PublicKey)) {
			t.Errorf("certificate %d has another key", i)
		}
		if err := parsed.CheckSignature(parsed.SignatureAlgorithm, parsed.RawTBSCertificate, parsed.Signature); err != nil {
			t.Errorf("certificate %d isn't self-signed: %v", i, err)
		}
		if want := "acme.cloudflareaccess.com"; parsed.Subject.CommonName != want {
			t.Errorf("certificate %d is of %q, want %q", i, parsed.Subject.CommonName, want)
		}
	}
	if got := published.Keys[1].Kid; got != sharedTeam().KeyID() || got == published.Keys[0].Kid {
		t.Errorf("the last key is %s, want the current one, %s", got, sharedTeam().KeyID())
	}
	if published.PublicCert != published.PublicCerts[1] {
		t.Error("public_cert isn't that of the current key")
	}
}

// The certs endpoint serves what Certs returns; only the former counts.
func TestCertsEndpoint(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	status, body, err := get(team)
	if err != nil || status != http.StatusOK || !bytes.Equal(body, team.Certs()) {
		t.Errorf("over a socket: status %d, error %v, body %s", status, err, body)
	}
	response := call(team, http.MethodGet, certsPath)
	if got := response.Header().Get("Content-Type"); got != "application/json" || !bytes.Equal(response.Body.Bytes(), team.Certs()) {
		t.Errorf("Content-Type %q, body %s", got, response.Body)
	}
	if got := team.Fetches(); got != 2 {
		t.Errorf("fetches are %d, want 2", got)
	}
}

// A token of a key that was current verifies until that key is withdrawn.
func TestRotateAndWithdraw(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	token := parse(t, team.SignUser(aud, email))
	kids := parseDocument(t, team.Certs()).kids()
	for _, step := range []struct {
		name     string
		do       func()
		keeps    int // of the kids before, so many of the last
		adds     bool
		verifies bool
	}{
		{"at first", func() {}, 2, false, true},
		{"rotated", team.Rotate, 1, true, true},
		{"withdrawn", team.Withdraw, 1, false, false},
		{"withdrawn twice", team.Withdraw, 1, false, false},
		{"rotated again", team.Rotate, 1, true, false},
	} {
		step.do()
		want := kids[len(kids)-step.keeps:]
		if step.adds {
			if slices.Contains(kids, team.KeyID()) {
				t.Fatalf("%s: no new key", step.name)
			}
			want = append(slices.Clone(want), team.KeyID())
		}
		published := parseDocument(t, team.Certs())
		if kids = published.kids(); !slices.Equal(kids, want) || kids[len(kids)-1] != team.KeyID() {
			t.Errorf("%s: kids are %q, want %q; the current one is %s", step.name, kids, want, team.KeyID())
		}
		if err := token.verify(published); (err == nil) != step.verifies {
			t.Errorf("%s: the old token: %v, want it to verify: %v", step.name, err, step.verifies)
		}
		if err := parse(t, team.SignUser(aud, email)).verify(published); err != nil {
			t.Errorf("%s: a new token: %v", step.name, err)
		}
	}
}
