package accesstest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
)

// Certs returns the certs document as it is published now, whatever the mode of
// the endpoint, and counts no fetch. The previous key comes before the current
// one; their order means nothing. The caller may change the bytes.
func (t *Team) Certs() []byte {
	var keys, certificates []map[string]string
	for _, k := range t.published() {
		keys = append(keys, map[string]string{ // RFC 7517
			"kid": k.id,
			"kty": "RSA",
			"alg": "RS256",
			"use": "sig",
			"e":   encode(big.NewInt(int64(k.private.E)).Bytes()),
			"n":   encode(k.private.N.Bytes()),
		})
		certificates = append(certificates, map[string]string{"kid": k.id, "cert": string(k.certificate)})
	}
	return marshal("certs document", map[string]any{
		"keys":         keys,
		"public_cert":  certificates[len(certificates)-1],
		"public_certs": certificates,
	})
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

// marshal panics if value has no JSON form, which only a test's own value can
// lack.
func marshal(what string, value any) []byte {
	body, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("accesstest: can't marshal the %s: %v", what, err))
	}
	return body
}

// encode returns data as base64url without padding, as RFC 7515 has it.
func encode(data []byte) string {
	return base64.RawURLEncoding.EncodeToString(data)
}
