package accesstest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

func TestClaimOptions(t *testing.T) {
	t.Parallel()
	team := sharedTeam()
	base := map[string]any{"aud": aud, "exp": "never"}
	for name, test := range map[string]struct {
		options []accesstest.Option
		want    map[string]any
	}{
		"none":                   {nil, base},
		"WithClaim, a new one":   {list(accesstest.WithClaim("sub", "x")), map[string]any{"aud": aud, "exp": "never", "sub": "x"}},
		"WithClaim, an old one":  {list(accesstest.WithClaim("aud", []string{"a", "b"})), map[string]any{"aud": []any{"a", "b"}, "exp": "never"}},
		"WithClaim null":         {list(accesstest.WithClaim("aud", nil)), map[string]any{"aud": nil, "exp": "never"}},
		"WithoutClaim":           {list(accesstest.WithoutClaim("aud")), map[string]any{"exp": "never"}},
		"WithoutClaim, unknown":  {list(accesstest.WithoutClaim("sub")), base},
		"WithExpiry":             {list(accesstest.WithExpiry(time.Unix(1659474457, 999))), map[string]any{"aud": aud, "exp": number(1659474457)}},
		"WithExpiry before 1970": {list(accesstest.WithExpiry(time.Unix(-1, 0))), map[string]any{"aud": aud, "exp": number(-1)}},
		"the later wins": {list(
			accesstest.WithoutClaim("aud"), accesstest.WithClaim("aud", "last"),
			accesstest.WithExpiry(time.Unix(1, 0)), accesstest.WithoutClaim("exp"),
		), map[string]any{"aud": "last"}},
	} {
		t.Run(name, func(t *testing.T) {
			token := parse(t, team.Sign(base, test.options...))
			expectClaims(t, token, test.want)
			if err := token.verify(parseDocument(t, team.Certs())); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHeaderOptions(t *testing.T) {
	t.Parallel()
	team := sharedTeam()
	kid := team.KeyID()
	for name, test := range map[string]struct {
		options []accesstest.Option
		want    map[string]any
	}{
		"a new field":  {list(accesstest.WithHeader("crit", []string{"b64"})), map[string]any{"alg": "RS256", "kid": kid, "typ": "JWT", "crit": []any{"b64"}}},
		"another type": {list(accesstest.WithHeader("kid", 7)), map[string]any{"alg": "RS256", "kid": number(7), "typ": "JWT"}},
		"a wrong one":  {list(accesstest.WithHeader("alg", "ES256")), map[string]any{"alg": "ES256", "kid": kid, "typ": "JWT"}},
		"without":      {list(accesstest.WithoutHeader("kid")), map[string]any{"alg": "RS256", "typ": "JWT"}},
		"the later wins": {list(
			accesstest.WithoutHeader("typ"), accesstest.WithHeader("typ", "at+jwt"),
			accesstest.WithHeader("kid", "x"), accesstest.WithoutHeader("kid"),
		), map[string]any{"alg": "RS256", "typ": "at+jwt"}},
		"before the signature's own fields": {list(
			accesstest.WithHeader("alg", "RS256"), accesstest.Unsigned(),
		), map[string]any{"alg": "RS256", "kid": kid, "typ": "JWT"}},
	} {
		t.Run(name, func(t *testing.T) {
			token := parse(t, team.SignUser(aud, email, test.options...))
			expectHeader(t, token, test.want)
			// Only Unsigned changes how the token is signed.
			if token.header["kid"] = team.KeyID(); len(token.signature) > 0 {
				if err := token.verify(parseDocument(t, team.Certs())); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestSignedByPreviousKey(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	published := parseDocument(t, team.Certs())
	for name, change := range map[string]func(){"published": func() {}, "withdrawn": team.Withdraw} {
		change()
		token := parse(t, team.SignUser(aud, email, accesstest.SignedByPreviousKey()))
		expectHeader(t, token, map[string]any{"alg": "RS256", "kid": published.Keys[0].Kid, "typ": "JWT"})
		if err := token.verify(published); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSignedByStranger(t *testing.T) {
	t.Parallel()
	team := sharedTeam()
	published := parseDocument(t, team.Certs())
	claims := map[string]any{"aud": aud}
	first := team.Sign(claims, accesstest.SignedByStranger())
	token := parse(t, first)
	expectHeader(t, token, map[string]any{"alg": "RS256", "kid": team.KeyID(), "typ": "JWT"})
	if len(token.signature) != 256 {
		t.Errorf("the signature has %d bytes, want 256", len(token.signature))
	}
	for _, kid := range published.kids() {
		token.header["kid"] = kid
		if token.verify(published) == nil {
			t.Errorf("key %s verifies a stranger's signature", kid)
		}
	}
	if second := team.Sign(claims, accesstest.SignedByStranger()); second != first {
		t.Error("the team has several strangers")
	}
}

func TestSignedHS256(t *testing.T) {
	t.Parallel()
	team := sharedTeam()
	token := parse(t, team.SignUser(aud, email, accesstest.SignedHS256()))
	expectHeader(t, token, map[string]any{"alg": "HS256", "kid": team.KeyID(), "typ": "JWT"})
	public, err := parseDocument(t, team.Certs()).key(team.KeyID())
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: encoded}))
	mac.Write(token.input)
	if !hmac.Equal(mac.Sum(nil), token.signature) {
		t.Error("the signature isn't keyed with the PEM of the public key")
	}
}

func TestUnsigned(t *testing.T) {
	t.Parallel()
	team := sharedTeam()
	token := parse(t, team.SignService(aud, clientID, accesstest.Unsigned()))
	expectHeader(t, token, map[string]any{"alg": "none", "kid": team.KeyID(), "typ": "JWT"})
	if len(token.signature) != 0 {
		t.Errorf("the signature has %d bytes, want none", len(token.signature))
	}
}

func TestOptionsAreReusable(t *testing.T) {
	t.Parallel()
	options := list(accesstest.SignedByPreviousKey(), accesstest.WithHeader("x", "y"), accesstest.WithClaim("a", "b"))
	for _, team := range []*accesstest.Team{sharedTeam(), newTeam(t), sharedTeam()} {
		published := parseDocument(t, team.Certs())
		token := parse(t, team.Sign(nil, options...))
		if err := token.verify(published); err != nil {
			t.Error(err)
		}
		expectClaims(t, token, map[string]any{"a": "b"})
		expectHeader(t, token, map[string]any{"alg": "RS256", "kid": published.Keys[0].Kid, "typ": "JWT", "x": "y"})
	}
}

func list(options ...accesstest.Option) []accesstest.Option { return options }
