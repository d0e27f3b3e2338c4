package accesstest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

// A bearer is what get-identity reads in a token.
type bearer struct {
	Issuer   string         `json:"iss"`
	Subject  string         `json:"sub"`
	Email    string         `json:"email"`
	Country  string         `json:"country"`
	IssuedAt float64        `json:"iat"`
	Expiry   float64        `json:"exp"`
	Custom   map[string]any `json:"custom"`
}

// bearerOf returns the person whose token the request carries, in the first of
// its CF_Authorization cookies.
func (t *Team) bearerOf(r *http.Request) (bearer, error) {
	cookie, err := r.Cookie(tokenCookie)
	if err != nil {
		return bearer{}, errors.New("no app token set")
	}
	found, err := t.verify(cookie.Value)
	switch {
	case err != nil:
		return bearer{}, err
	case found.Email == "":
		return bearer{}, errors.New("not the token of a person")
	}
	return found, nil
}

// verify checks that a published key signed the token, that the team issued it
// and that it hasn't expired (now < exp). It checks neither aud, which differs
// from one application to the next, nor nbf.
func (t *Team) verify(token string) (bearer, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return bearer{}, errors.New("malformed token")
	}
	var header struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
	}
	var found bearer
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !decode(parts[0], &header) || !decode(parts[1], &found) {
		return bearer{}, errors.New("malformed token")
	}
	input := []byte(parts[0] + "." + parts[1])
	switch {
	case header.Algorithm != "RS256":
		return bearer{}, errors.New("unexpected algorithm")
	case !t.signed(header.KeyID, input, signature):
		return bearer{}, errors.New("invalid signature")
	case found.Issuer != t.Issuer():
		return bearer{}, errors.New("token of another team")
	case float64(time.Now().Unix()) >= found.Expiry:
		return bearer{}, errors.New("expired token")
	}
	return found, nil
}

// signed reports whether the published key of that kid made the signature.
func (t *Team) signed(keyID string, input, signature []byte) bool {
	for _, k := range t.published() {
		if k.id == keyID {
			return k.verifies(input, signature)
		}
	}
	return false
}

// decode reads a part of a token into target and reports whether it could.
func decode(part string, target any) bool {
	data, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(data, target) == nil
}
