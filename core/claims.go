package core

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// Claims are the claims of a verified token about the caller. They are shared by
// every request of a session, so they are read-only, Audience and Custom
// included; that makes them safe for concurrent use.
//
// The fields are those of Cloudflare's application token. One that the token
// lacks is zero, and so are ID, IdentityNonce, Country and Custom of a wrong
// type. A test may make its own Claims: see [NewContext].
type Claims struct {
	jwt.RegisteredClaims
	// Type is "app", or empty for a service token that doesn't say.
	Type string `json:"type,omitempty"`
	// Email is the person's address. Empty for a service token.
	Email string `json:"email,omitempty"`
	// CommonName is the Client ID of a service token.
	CommonName string `json:"common_name,omitempty"`
	// IdentityNonce is the key to the person's identity at Access. Not marshalled.
	IdentityNonce string `json:"-"`
	// Country is where the person logged in from, in two letters (ISO 3166-1).
	Country string `json:"country,omitempty"`
	// Custom holds the SAML attributes or OIDC claims that the identity
	// provider is set up to pass on. Numbers are float64: see Decode for large
	// ones. Access leaves some out for people with many, so don't conclude
	// anything from the absence of one. Nil where there are none.
	Custom map[string]any `json:"custom,omitempty"`

	// A pointer to a string, because no printer follows it: package fmt
	// follows a pointer to a struct if the verb is wrong for it, as in %s.
	token    *string
	verifier *Verifier // that verified the token

	// background is NewContext of context.Background and these claims. Claims
	// that a test made have none of the three.
	background context.Context //nolint:containedctx // carries nothing else
}

// IsService reports whether the caller is a service token rather than a
// person: it has a common name, and neither email nor subject.
func (c *Claims) IsService() bool {
	return c.CommonName != "" && c.Email == "" && c.Subject == ""
}

// Token returns the token as it was received, for calls on the caller's
// behalf. It is a credential. It is never printed, logged or marshalled with
// the claims. Empty if the claims don't come from a [Verifier].
func (c *Claims) Token() string {
	if c.token == nil {
		return ""
	}
	return *c.token
}

// Decode decodes the token's whole payload into dst, as json.Unmarshal of
// encoding/json would: for claims that have no field here. It fails if dst
// doesn't fit the payload, or if the claims don't come from a [Verifier].
func (c *Claims) Decode(dst any) error {
	if c.token == nil {
		return errors.New("cfaccess: claims without a token can't be decoded")
	}
	segment := strings.Split(*c.token, ".")[1] // of three, or it had not verified
	payload, err := base64.RawURLEncoding.DecodeString(segment)
	if err == nil {
		err = json.Unmarshal(payload, dst)
	}
	if err != nil {
		return fmt.Errorf("cfaccess: decode claims: %w", err)
	}
	return nil
}
