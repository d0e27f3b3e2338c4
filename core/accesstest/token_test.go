package accesstest_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// A fresh bubble's clock stands here.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func number(seconds int64) json.Number {
	return json.Number(strconv.FormatInt(seconds, 10))
}

func TestSignUser(t *testing.T) {
	t.Parallel()
	team := sharedTeam()
	synctest.Test(t, func(t *testing.T) {
		token := parse(t, team.SignUser(aud, email))
		expectHeader(t, token, map[string]any{"alg": "RS256", "kid": team.KeyID(), "typ": "JWT"})
		if err := token.verify(parseDocument(t, team.Certs())); err != nil {
			t.Error(err)
		}
		if size := len(team.SignUser(aud, email)); size < 800 || size > 1000 {
			t.Errorf("the token has %d bytes, want about 900", size)
		}
		if other := parse(t, team.SignUser(aud, email)); other.claims["identity_nonce"] == token.claims["identity_nonce"] {
			t.Error("two sessions have the same identity_nonce")
		}
		for name, pattern := range map[string]string{
			"identity_nonce": `^[0-9A-Za-z]{16}$`,
			"sub":            `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
		} {
			if value, ok := token.claims[name].(string); !ok || !regexp.MustCompile(pattern).MatchString(value) {
				t.Errorf("%s is %v, want %s", name, token.claims[name], pattern)
			}
			delete(token.claims, name)
		}
		expectClaims(t, token, map[string]any{
			"aud":     []any{aud},
			"email":   email,
			"exp":     number(bubbleStart.Unix() + 24*60*60),
			"iat":     number(bubbleStart.Unix()),
			"nbf":     number(bubbleStart.Unix()),
			"iss":     "https://acme.cloudflareaccess.com",
			"type":    "app",
			"country": "US",
		})
	})
}

func TestSignService(t *testing.T) {
	t.Parallel()
	team := sharedTeam()
	synctest.Test(t, func(t *testing.T) {
		token := parse(t, team.SignService(aud, clientID))
		expectHeader(t, token, map[string]any{"alg": "RS256", "kid": team.KeyID(), "typ": "JWT"})
		if err := token.verify(parseDocument(t, team.Certs())); err != nil {
			t.Error(err)
		}
		expectClaims(t, token, map[string]any{
			"type":        "app",
			"aud":         aud,
			"exp":         number(bubbleStart.Unix() + 24*60*60),
			"iss":         "https://acme.cloudflareaccess.com",
			"common_name": clientID,
			"iat":         number(bubbleStart.Unix()),
			"sub":         "",
		})
	})
}

// The sub depends on the team's name and on the email, in any case.
func TestSubject(t *testing.T) {
	t.Parallel()
	other := accesstest.NewTeam("umbrella")
	defer other.Close()
	subject := func(team *accesstest.Team, email string) any {
		return parse(t, team.SignUser(aud, email)).claims["sub"]
	}
	ada := subject(sharedTeam(), email)
	for name, got := range map[string]any{"upper case": subject(sharedTeam(), strings.ToUpper(email)), "same name": subject(newTeam(t), email)} {
		if got != ada {
			t.Errorf("%s: sub is %v, want %v", name, got, ada)
		}
	}
	for name, got := range map[string]any{"another person": subject(sharedTeam(), "bob@example.com"), "another team": subject(other, email)} {
		if got == ada {
			t.Errorf("%s: sub is Ada's, %v", name, got)
		}
	}
}

// Sign adds no claims and leaves the map as it is.
func TestSign(t *testing.T) {
	t.Parallel()
	team := sharedTeam()
	for name, claims := range map[string]map[string]any{
		"nil":   nil,
		"empty": {},
		"some":  {"iss": "https://elsewhere.example", "aud": aud, "custom": map[string]any{"team": "red"}},
	} {
		before := maps.Clone(claims)
		token := parse(t, team.Sign(claims, accesstest.WithClaim("c", "d"), accesstest.WithoutClaim("iss")))
		want := map[string]any{}
		maps.Copy(want, claims)
		delete(want, "iss")
		want["c"] = "d"
		expectClaims(t, token, want)
		if err := token.verify(parseDocument(t, team.Certs())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(claims, before) {
			t.Errorf("%s: Sign changed the map to %v", name, claims)
		}
	}
}

func TestSignUnmarshallable(t *testing.T) {
	t.Parallel()
	team := sharedTeam()
	for name, test := range map[string]struct {
		sign func()
		want string
	}{
		"claim": {
			func() { team.SignUser(aud, email, accesstest.WithClaim("exp", make(chan int))) },
			"accesstest: can't marshal the claims: json: unsupported type: chan int",
		},
		"header": {
			func() { team.SignService(aud, clientID, accesstest.WithHeader("kid", func() {})) },
			"accesstest: can't marshal the header: json: unsupported type: func()",
		},
	} {
		if got := panicOf(test.sign); got != test.want {
			t.Errorf("%s: panics with %v, want %v", name, got, test.want)
		}
	}
}

func expectHeader(t *testing.T, token parsedToken, want map[string]any) {
	t.Helper()
	if !reflect.DeepEqual(token.header, want) {
		t.Errorf("header is %v, want %v", token.header, want)
	}
}

func expectClaims(t *testing.T, token parsedToken, want map[string]any) {
	t.Helper()
	if !reflect.DeepEqual(token.claims, want) {
		t.Errorf("claims are %v, want %v", token.claims, want)
	}
}
