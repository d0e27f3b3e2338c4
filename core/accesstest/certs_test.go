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

// The member names, exactly: what reads Access's document must find the same.
func TestCertsMembers(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(team.Certs(), &whole); err != nil {
		t.Fatal(err)
	}
	if got, want := names(whole), []string{"keys", "public_cert", "public_certs"}; !slices.Equal(got, want) {
		t.Fatalf("members are %q, want %q", got, want)
	}
	for name, test := range map[string]struct {
		list  json.RawMessage
		count int
		want  []string
	}{
		"keys":         {whole["keys"], 2, []string{"alg", "e", "kid", "kty", "n", "use"}},
		"public_cert":  {slices.Concat([]byte("["), whole["public_cert"], []byte("]")), 1, []string{"cert", "kid"}},
		"public_certs": {whole["public_certs"], 2, []string{"cert", "kid"}},
	} {
		var elements []map[string]string
		if err := json.Unmarshal(test.list, &elements); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(elements) != test.count {
			t.Errorf("%s has %d elements, want %d", name, len(elements), test.count)
		}
		for _, element := range elements {
			if got := names(element); !slices.Equal(got, test.want) {
				t.Errorf("%s: members are %q, want %q", name, got, test.want)
			}
		}
	}
}

func TestCertsKeys(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	published := parseDocument(t, team.Certs())
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
		if cert := published.PublicCerts[i]; cert.Kid != key.Kid {
			t.Errorf("certificate %d is of key %s, want %s", i, cert.Kid, key.Kid)
		}
	}
	if got := published.Keys[1].Kid; got != team.KeyID() {
		t.Errorf("the last key is %s, want the current one, %s", got, team.KeyID())
	}
	if published.Keys[0].N == published.Keys[1].N {
		t.Error("both keys are the same")
	}
	if published.PublicCert != published.PublicCerts[1] {
		t.Error("public_cert isn't that of the current key")
	}
}

func TestCertsCertificates(t *testing.T) {
	t.Parallel()
	published := parseDocument(t, newTeam(t).Certs())
	for i, cert := range published.PublicCerts {
		block, rest := pem.Decode([]byte(cert.Cert))
		if block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
			t.Fatalf("certificate %d isn't one block of PEM", i)
		}
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatalf("certificate %d: %v", i, err)
		}
		public, err := published.key(cert.Kid)
		if err != nil {
			t.Fatal(err)
		}
		if !public.Equal(parsed.PublicKey.(*rsa.PublicKey)) {
			t.Errorf("certificate %d has another key than its kid", i)
		}
		if err := parsed.CheckSignature(parsed.SignatureAlgorithm, parsed.RawTBSCertificate, parsed.Signature); err != nil {
			t.Errorf("certificate %d isn't self-signed: %v", i, err)
		}
		if want := "acme.cloudflareaccess.com"; parsed.Subject.CommonName != want {
			t.Errorf("certificate %d is of %q, want %q", i, parsed.Subject.CommonName, want)
		}
	}
}

func TestCertsEndpoint(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	status, body, err := get(team)
	if err != nil || status != http.StatusOK || !bytes.Equal(body, team.Certs()) {
		t.Errorf("over a socket: status %d, error %v, body %s", status, err, body)
	}
	response := call(team, http.MethodGet, certsPath)
	if got, want := response.Header().Get("Content-Type"), "application/json"; got != want {
		t.Errorf("Content-Type is %q, want %q", got, want)
	}
	if !bytes.Equal(response.Body.Bytes(), team.Certs()) {
		t.Errorf("body is %s", response.Body)
	}
	if got := team.Fetches(); got != 2 {
		t.Errorf("fetches are %d, want 2: Certs counts for nothing", got)
	}
}

func TestRotateAndWithdraw(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	expect := func(step string, want ...string) {
		t.Helper()
		if got := parseDocument(t, team.Certs()).kids(); !slices.Equal(got, want) {
			t.Errorf("%s: kids are %q, want %q", step, got, want)
		}
		if got := team.KeyID(); got != want[len(want)-1] {
			t.Errorf("%s: current kid is %s, want %s", step, got, want[len(want)-1])
		}
	}
	kids := parseDocument(t, team.Certs()).kids()
	first, second := kids[0], kids[1]
	expect("at first", first, second)

	team.Rotate()
	third := team.KeyID()
	if third == first || third == second {
		t.Fatal("Rotate made no new key")
	}
	expect("rotated", second, third)

	team.Withdraw()
	expect("withdrawn", third)
	team.Withdraw()
	expect("withdrawn twice", third)

	team.Rotate()
	expect("rotated after a withdrawal", third, team.KeyID())
}

// A session begun before a rotation goes on until its key is withdrawn.
func TestTokensOfRotatedKeys(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	old := parse(t, team.SignUser(aud, email))
	verifies := func(step string, want bool) {
		t.Helper()
		if err := old.verify(parseDocument(t, team.Certs())); (err == nil) != want {
			t.Errorf("%s: the old token verifies: %t, want %t (%v)", step, err == nil, want, err)
		}
	}
	verifies("at first", true)
	team.Rotate()
	verifies("rotated", true)
	if err := parse(t, team.SignUser(aud, email)).verify(parseDocument(t, team.Certs())); err != nil {
		t.Errorf("rotated: a new token: %v", err)
	}
	team.Withdraw()
	verifies("withdrawn", false)
}
