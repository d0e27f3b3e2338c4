package core

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"
)

// Claims has every claim of Access's tokens that design.md names.
func TestClaims(t *testing.T) {
	bubble(t, "a person", func(t *testing.T, r *rig) {
		now := time.Now()
		token := signUser(withClaim("custom", object{"groups": []string{"admins"}}), withClaim("jti", "id"),
			withClaim("identity_nonce", "6ei69kawdKzMIAPF"), withClaim("sub", "7335d417-61da-459d-899c-0a01c76a2f94"))
		got := verified(t, r, token)
		date := func(date time.Time) *jwt.NumericDate { return &jwt.NumericDate{Time: time.Unix(date.Unix(), 0)} }
		want := &Claims{
			RegisteredClaims: jwt.RegisteredClaims{
				Issuer: testIssuer, Subject: "7335d417-61da-459d-899c-0a01c76a2f94", Audience: jwt.ClaimStrings{testAudience},
				ExpiresAt: date(now.Add(24 * time.Hour)), NotBefore: date(now), IssuedAt: date(now), ID: "id",
			},
			Type: "app", Email: "ada@example.com", IdentityNonce: "6ei69kawdKzMIAPF", Country: "US",
			Custom: map[string]any{"groups": []any{"admins"}},
			token:  got.token, verifier: r.Verifier, background: got.background,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if got.Token() != token || got.IsService() {
			t.Errorf("token %s, service %v", got.Token(), got.IsService())
		}
		// Marshalled, they are the payload again, but for identity_nonce.
		var payload, marshalled object
		text, err := json.Marshal(got)
		if err := errors.Join(err, got.Decode(&payload), json.Unmarshal(text, &marshalled)); err != nil {
			t.Fatal(err)
		}
		if delete(payload, "identity_nonce"); !reflect.DeepEqual(marshalled, payload) {
			t.Errorf("marshalled %v, want %v", marshalled, payload)
		}
	})
	bubble(t, "a service token", func(t *testing.T, r *rig) {
		got := verified(t, r, signService(withoutClaim("type")))
		if got.CommonName != "ci-bot" || got.Subject != "" || got.Email != "" || got.NotBefore != nil || got.Custom != nil || got.Type != "" || !got.IsService() {
			t.Errorf("got %+v", got)
		}
	})
	bubble(t, "a date with a fraction", func(t *testing.T, r *rig) {
		if got := verified(t, r, signUser(withClaim("exp", 4102444800.25))); got.ExpiresAt.UnixMilli() != 4102444800250 {
			t.Errorf("got %v", got.ExpiresAt)
		}
	})
}

// The token is a credential, and identity_nonce is the key to a person's
// identity. Neither goes where claims go.
func TestClaimsDoNotPrintTheirToken(t *testing.T) {
	const nonce = "6ei69kawdKzMIAPF"
	claims := verified(t, newRig(t), signUser(withClaim("identity_nonce", nonce)))
	token := claims.Token()
	type holder struct{ c any }
	type typed struct {
		Public  Claims
		private *Claims
		value   Claims
	}
	values := map[string]any{
		"a pointer": claims, "a value": *claims, "a slice": []*Claims{claims}, "a slice of values": []Claims{*claims},
		"a map": map[string]any{"c": claims}, "a map of values": map[string]Claims{"c": *claims}, "an array": [1]*Claims{claims},
		"a struct": holder{claims}, "a struct of a value": &holder{*claims}, "a struct of both": typed{*claims, claims, *claims},
		"a pointer to a pointer": &claims, "an any": any(claims),
	}
	secrets := map[string]string{}
	for i, segment := range strings.Split(token, ".") {
		part := segment[len(segment)-24:]
		secrets[fmt.Sprintf("segment %d", i)] = part
		secrets[fmt.Sprintf("segment %d in hex", i)] = hex.EncodeToString([]byte(part))
		secrets[fmt.Sprintf("segment %d as bytes", i)] = strings.Trim(fmt.Sprint([]byte(part)), "[]")
	}
	check := func(t *testing.T, how, printed string) {
		t.Helper()
		for name, secret := range secrets {
			if strings.Contains(printed, secret) || strings.Contains(strings.ToLower(strings.ReplaceAll(printed, " ", "")), secret) {
				t.Errorf("%s prints the token, %s: %s", how, name, printed)
			}
		}
	}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			for _, verb := range []string{"s", "q", "v", "+v", "#v", "x", "X", " x", "t", "e", "g", "c", "U", "#U", "d", "o", "b", "p", "T", "w", "#q", "z", "!"} {
				check(t, "%"+verb, fmt.Sprintf("%"+verb, value))
			}
			check(t, "Println", fmt.Sprintln(value))
			var text, structured bytes.Buffer
			slog.New(slog.NewTextHandler(&text, nil)).Info("x", "claims", value)
			slog.New(slog.NewJSONHandler(&structured, nil)).Info("x", "claims", value)
			one, _ := json.Marshal(value)
			two, _ := jsonv2.Marshal(value)
			check(t, "slog as text", text.String())
			for how, printed := range map[string]string{"slog as JSON": structured.String(), "JSON": string(one), "JSON v2": string(two)} {
				check(t, how, printed)
				if strings.Contains(printed, nonce) {
					t.Errorf("%s prints identity_nonce: %s", how, printed)
				}
			}
		})
	}
}

func TestClaimsDecode(t *testing.T) {
	claims := verified(t, newRig(t), signUser(withClaim("device", "laptop"), withClaim("custom", object{"id": json.Number("9007199254740993")})))
	var all struct {
		Device, Email string
		Custom        struct{ ID int64 }
	}
	if err := claims.Decode(&all); err != nil || all.Device != "laptop" || all.Email != "ada@example.com" || all.Custom.ID != 9007199254740993 {
		t.Errorf("got %+v, %v", all, err)
	}
	var wrong struct{ Email int }
	wantText(t, claims.Decode(&wrong), "cannot unmarshal string")
	wantText(t, (&Claims{Email: "ada@example.com"}).Decode(&all), "without a token")
	if token := (&Claims{}).Token(); token != "" {
		t.Errorf("claims without a token have the token %q", token)
	}
}
