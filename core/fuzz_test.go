package core_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// FuzzToken: whatever a stranger sends is refused, with one class of error.
func FuzzToken(f *testing.F) {
	team := newTeam(f)
	v := newVerifier(f, team, func(c *core.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	good := []string{
		team.SignUser(testAudience, "ada@example.com"),
		team.SignService(testAudience, "ci-bot"),
	}
	for _, token := range append(good,
		team.SignUser(otherAudience, "ada@example.com"),
		team.SignUser(testAudience, "ada@example.com", accesstest.SignedByStranger()),
		team.SignUser(testAudience, "ada@example.com", accesstest.SignedHS256()),
		team.SignUser(testAudience, "ada@example.com", accesstest.Unsigned()),
		team.SignUser(testAudience, "ada@example.com", accesstest.WithoutHeader("kid")),
		team.SignUser(testAudience, "ada@example.com", accesstest.WithHeader("crit", []string{"exp"})),
		"", ".", "..", "...", "a.b.c", good[0]+"\n", good[0]+"=", "e30.e30.", "bnVsbA.bnVsbA.bnVsbA",
	) {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := v.Verify(t.Context(), token)
		if err == nil {
			if !slices.Contains(good, token) {
				t.Fatalf("accepted, for %v: %q", claims, token)
			}
			return
		}
		wantOneClass(t, err)
		if core.Refuse(err).Status == http.StatusInternalServerError {
			t.Errorf("no refusal for %v", err)
		}
	})
}

// FuzzSignedToken: of what a team signs, only what the rules allow is accepted.
// The rules are written down here a second time.
func FuzzSignedToken(f *testing.F) {
	const header = `{"alg":"RS256","kid":"k","typ":"JWT"}`
	const issuer = "https://acme.cloudflareaccess.com"
	for _, seed := range [][2]string{
		{header, `{"type":"app","aud":["x"],"exp":4102444800,"iss":"` + issuer + `","email":"ada@example.com","sub":"s","country":"US","custom":{"a":[1]}}`},
		{header, `{"aud":"x","exp":4102444800.5,"iat":1,"nbf":1,"iss":"` + issuer + `","common_name":"ci","sub":""}`},
		{header, `{"type":"org","aud":["x"],"exp":4102444800,"iss":"` + issuer + `"}`},
		{header, `{"Type":"app","AUD":["x"],"eXp":4102444800,"iss":"` + issuer + `"}`},
		{header, `{"aud":["x"],"aud":["y"],"exp":1e300,"exp":null,"iss":"` + issuer + `"}`},
		{header, `{"Aud":["x"],"exp":4102444800,"iss":"` + issuer + `"}`},
		{header, `{"aud":["x"],"Exp":4102444800,"iss":"` + issuer + `"}`},
		{header, `{"aud":["x"],"exp":"4102444800","iss":"` + issuer + `"}`},
		{header, `null`},
		{`{"alg":"RS256","kid":"k","crit":["x"]}`, `{}`},
		{`{"alg":"RS256","kid":"k","kid":null}`, `{}`},
		{`{"alg":"RS256","Kid":"k"}`, `{}`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	certs := fmt.Sprintf(`{"keys":[{"kty":"RSA","kid":"k","e":"AQAB","n":%q}]}`, encode(key.N.FillBytes(make([]byte, 256))))
	v, err := core.New(core.Config{
		Team: "acme", Audiences: []string{"x"}, Logger: slog.New(slog.DiscardHandler),
		HTTPClient: &http.Client{Transport: inProcess{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(certs))
		})}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header, payload []byte) {
		signed := encode(header) + "." + encode(payload)
		digest := sha256.Sum256([]byte(signed))
		signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		claims, err := v.Verify(t.Context(), signed+"."+encode(signature))
		if err != nil {
			wantOneClass(t, err)
			return
		}
		if err := allowed(header, payload, issuer, "x"); err != nil {
			t.Errorf("accepted, though %v: %s %s: %+v", err, header, payload, claims)
		}
	})
}

// allowed says what is wrong with a token that a team signed.
func allowed(header, payload []byte, issuer, audience string) error {
	var h, p map[string]any
	if err := errors.Join(json.Unmarshal(header, &h), json.Unmarshal(payload, &p)); err != nil {
		return err
	}
	_, critical := h["crit"]
	var audiences []any
	switch aud := p["aud"].(type) {
	case string:
		audiences = []any{aud}
	case []any:
		audiences = aud
	}
	now := float64(time.Now().Unix())
	exp, _ := p["exp"].(float64)
	date := func(name string) (seconds float64, ok bool) {
		seconds, ok = p[name].(float64)
		return seconds, ok || p[name] == nil
	}
	nbf, nbfOK := date("nbf")
	iat, iatOK := date("iat")
	switch {
	case h["alg"] != "RS256":
		return errors.New("alg isn't RS256")
	case h["kid"] != "k":
		return errors.New("the kid is another")
	case critical:
		return errors.New("there is a crit")
	case p["iss"] != issuer:
		return errors.New("the issuer is another")
	case !slices.Contains(audiences, any(audience)):
		return errors.New("the audience is another")
	case p["type"] != nil && p["type"] != "app":
		return errors.New("the type is another")
	case exp < now-31:
		return errors.New("it has expired, or has no exp")
	case !nbfOK || nbf > now+31, !iatOK || iat > now+31:
		return errors.New("it isn't valid yet")
	}
	return nil
}

// wantOneClass fails the test unless err matches exactly one sentinel.
func wantOneClass(t *testing.T, err error) {
	t.Helper()
	var matches []string
	for name, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			matches = append(matches, name)
		}
	}
	if len(matches) != 1 {
		t.Errorf("%q matches %s", err, strings.Join(matches, ", "))
	}
}
