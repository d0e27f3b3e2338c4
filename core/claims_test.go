package core_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

func TestClaimsOfAPerson(t *testing.T) {
	team := newTeam(t)
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		token := team.SignUser(testAudience, "ada@example.com",
			accesstest.WithClaim("custom", map[string]any{"groups": []string{"admins"}}),
			accesstest.WithClaim("identity_nonce", "6ei69kawdKzMIAPF"),
			accesstest.WithClaim("sub", "7335d417-61da-459d-899c-0a01c76a2f94"))
		got, err := newVerifier(t, team).Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		if got.Token() != token {
			t.Error("Token is another")
		}
		want := core.Claims{
			RegisteredClaims: jwt.RegisteredClaims{
				Issuer:    "https://acme.cloudflareaccess.com",
				Subject:   "7335d417-61da-459d-899c-0a01c76a2f94",
				Audience:  jwt.ClaimStrings{testAudience},
				ExpiresAt: &jwt.NumericDate{Time: now.Add(24 * time.Hour)},
				NotBefore: &jwt.NumericDate{Time: now},
				IssuedAt:  &jwt.NumericDate{Time: now},
			},
			Type: "app", Email: "ada@example.com", IdentityNonce: "6ei69kawdKzMIAPF", Country: "US",
			Custom: map[string]any{"groups": []any{"admins"}},
		}
		// As JSON, since Time values compare by more than the instant.
		if g, w := asJSON(t, got), asJSON(t, want); g != w {
			t.Errorf("got  %s\nwant %s", g, w)
		}
		if got.IsService() {
			t.Error("a person is a service")
		}
	})
}

func TestClaimsOfAService(t *testing.T) {
	team := newTeam(t)
	got, err := newVerifier(t, team).Verify(t.Context(), team.SignService(testAudience, "ci-bot"))
	if err != nil {
		t.Fatal(err)
	}
	if got.CommonName != "ci-bot" || got.Subject != "" || got.Email != "" || got.NotBefore != nil || got.Custom != nil {
		t.Errorf("got %+v", got)
	}
	if !got.IsService() {
		t.Error("a service is a person")
	}
}

// The token is a credential. It goes nowhere that claims go.
func TestClaimsDoNotPrintTheirToken(t *testing.T) {
	team := newTeam(t)
	token := team.SignUser(testAudience, "ada@example.com")
	claims, err := newVerifier(t, team).Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	var text, structured bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("x", "claims", claims, "copy", *claims)
	slog.New(slog.NewJSONHandler(&structured, nil)).Info("x", "claims", claims, "copy", *claims)
	for how, printed := range map[string]string{
		"%v": fmt.Sprintf("%v", claims), "%+v": fmt.Sprintf("%+v", claims), "%#v": fmt.Sprintf("%#v", claims),
		"%v of a copy": fmt.Sprintf("%v", *claims), "%+v of a copy": fmt.Sprintf("%+v", *claims), "%#v of a copy": fmt.Sprintf("%#v", *claims),
		"%+v of a slice": fmt.Sprintf("%+v", []core.Claims{*claims}),
		"slog as text":   text.String(), "slog as JSON": structured.String(), "JSON": asJSON(t, claims),
	} {
		if strings.Contains(printed, token[len(token)-40:]) || strings.Contains(printed, token[:20]) {
			t.Errorf("%s prints the token: %s", how, printed)
		}
	}
}

func TestClaimsDecode(t *testing.T) {
	team := newTeam(t)
	v := newVerifier(t, team)
	claims, err := v.Verify(t.Context(), team.SignUser(testAudience, "ada@example.com", accesstest.WithClaim("device", "laptop")))
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Device string
		Email  string
	}
	if err := claims.Decode(&all); err != nil || all.Device != "laptop" || all.Email != "ada@example.com" {
		t.Errorf("got %+v, %v", all, err)
	}
	var wrong struct{ Email int }
	if err := claims.Decode(&wrong); err == nil {
		t.Error("a string was decoded into a number")
	}
	if err := (&core.Claims{Email: "ada@example.com"}).Decode(&all); err == nil {
		t.Error("claims without a token were decoded")
	}
	if token := (&core.Claims{}).Token(); token != "" {
		t.Errorf("claims without a token have the token %q", token)
	}
}

// Claims has a field for every claim of Access's tokens, so that a new one
// there is noticed here.
func TestClaimsHaveEveryField(t *testing.T) {
	team := newTeam(t)
	v := newVerifier(t, team)
	for _, token := range []string{team.SignUser(testAudience, "ada@example.com"), team.SignService(testAudience, "ci-bot")} {
		claims, err := v.Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		var payload, ours map[string]any
		if err := claims.Decode(&payload); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(asJSON(t, claims)), &ours); err != nil {
			t.Fatal(err)
		}
		if payload["sub"] == "" {
			delete(payload, "sub") // a service's is empty, and then left out
		}
		if !reflect.DeepEqual(payload, ours) {
			t.Errorf("the token says %v, Claims %v", payload, ours)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
