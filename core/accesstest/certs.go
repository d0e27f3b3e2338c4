package accesstest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
)

// A certsDocument is what the certs endpoint serves. Its members have the names
// and the order that Access gives them.
type certsDocument struct {
	Keys        []publishedKey         `json:"keys"`
	PublicCert  publishedCertificate   `json:"public_cert"`
	PublicCerts []publishedCertificate `json:"public_certs"`
}

// A publishedKey is a JSON Web Key, RFC 7517.
type publishedKey struct {
	ID        string `json:"kid"`
	Type      string `json:"kty"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
	Exponent  string `json:"e"`
	Modulus   string `json:"n"`
}

type publishedCertificate struct {
	ID          string `json:"kid"`
	Certificate string `json:"cert"`
}

// Certs returns the certs document as it is published now, whatever the mode of
// the endpoint, and counts no fetch. The previous key comes before the current
// one; their order means nothing. The caller may change the bytes.
func (t *Team) Certs() []byte {
	var document certsDocument
	for _, k := range t.published() {
		public := k.private.PublicKey
		document.Keys = append(document.Keys, publishedKey{
			ID:        k.id,
			Type:      "RSA",
			Algorithm: "RS256",
			Use:       "sig",
			Exponent:  encode(big.NewInt(int64(public.E)).Bytes()),
			Modulus:   encode(public.N.Bytes()),
		})
		document.PublicCert = publishedCertificate{ID: k.id, Certificate: string(k.certificate)}
		document.PublicCerts = append(document.PublicCerts, document.PublicCert)
	}
	return marshal("certs document", document)
}

func (t *Team) servePublished(w http.ResponseWriter, _ *http.Request) {
	respond(w, http.StatusOK, t.Certs())
}

// respond writes a body of JSON. An error means that the client has gone.
func respond(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// marshal panics if value has no JSON form: only what a test passed in can.
func marshal(what string, value any) []byte {
	body, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("accesstest: can't marshal the %s: %v", what, err))
	}
	return body
}

// encode is base64url without padding, as RFC 7515 has it.
func encode(data []byte) string {
	return base64.RawURLEncoding.EncodeToString(data)
}
