package accesstest_test

import (
	"bytes"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

const localIssuer = "http://127.0.0.1:8000"

func newLocalTeam(t *testing.T, keys []byte) *accesstest.Team {
	t.Helper()
	team, err := accesstest.NewLocalTeam(localIssuer, keys)
	if err != nil {
		t.Fatal(err)
	}
	return team
}

func TestLocalTeam(t *testing.T) {
	t.Parallel()
	team := newLocalTeam(t, nil)
	if team.URL != "" || team.Issuer() != localIssuer {
		t.Errorf("URL %q, issuer %q", team.URL, team.Issuer())
	}
	token := team.SignUser(aud, email)
	if got := parse(t, token).claims["iss"]; got != localIssuer {
		t.Errorf("iss is %v", got)
	}
	if answer := call(team, http.MethodGet, identityPath, &http.Cookie{Name: "CF_Authorization", Value: token}); answer.Code != http.StatusOK {
		t.Errorf("identity: %d %s", answer.Code, answer.Body)
	}
	verifier, err := core.New(core.Config{
		Team: localIssuer, Audiences: []string{aud},
		HTTPClient: &http.Client{Transport: team},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
	team.Close()
	if answer := call(team, http.MethodGet, certsPath); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("certs of a closed team: %d", answer.Code)
	}
}

func TestKeysOutliveTheirTeam(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*accesstest.Team){
		"as they were made": func(*accesstest.Team) {},
		"rotated":           (*accesstest.Team).Rotate,
		"withdrawn":         (*accesstest.Team).Withdraw,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := newLocalTeam(t, nil)
			change(before)
			after := newLocalTeam(t, before.MarshalKeys())
			published := parseDocument(t, after.Certs())
			if want := parseDocument(t, before.Certs()).kids(); !slices.Equal(published.kids(), want) || after.KeyID() != before.KeyID() {
				t.Errorf("kids %q, want %q", published.kids(), want)
			}
			for _, token := range []string{before.SignUser(aud, email), after.SignUser(aud, email)} {
				if err := parse(t, token).verify(published); err != nil {
					t.Error(err)
				}
			}
			if !bytes.Equal(after.MarshalKeys(), before.MarshalKeys()) {
				t.Error("the keys changed")
			}
			previous := parse(t, after.SignUser(aud, email, accesstest.SignedByPreviousKey()))
			if isPublished := previous.verify(published) == nil; isPublished == (name == "withdrawn") {
				t.Errorf("the previous key is published: %v", isPublished)
			}
			if sub := parse(t, after.SignUser(aud, email)).claims["sub"]; sub != parse(t, before.SignUser(aud, email)).claims["sub"] {
				t.Error("the same person has another sub")
			}
		})
	}
}

func TestLocalTeamRefuses(t *testing.T) {
	t.Parallel()
	keys := newLocalTeam(t, nil).MarshalKeys()
	one := append(keys[:bytes.Index(keys, []byte("-----END PRIVATE KEY-----\n"))], "-----END PRIVATE KEY-----\n"...)
	ed25519 := []byte(strings.TrimSpace(ed25519Key) + "\n")
	for name, test := range map[string]struct {
		issuer string
		keys   []byte
		want   string
	}{
		"an issuer without a scheme": {"127.0.0.1:8000", nil, "issuer"},
		"an issuer with a slash":     {localIssuer + "/", nil, "issuer"},
		"an issuer with a path":      {localIssuer + "/a", nil, "issuer"},
		"an issuer with a query":     {localIssuer + "?a", nil, "issuer"},
		"an issuer with a user":      {"http://a@127.0.0.1", nil, "issuer"},
		"no issuer":                  {"", nil, "issuer"},
		"keys that are no PEM":       {localIssuer, []byte("x"), "PEM"},
		"a certificate":              {localIssuer, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE"}), "PEM"},
		"a key that can't be parsed": {localIssuer, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}), "private key"},
		"a key of another type":      {localIssuer, ed25519, "not an RSA key"},
		"three keys":                 {localIssuer, bytes.Repeat(one, 3), "3 private keys"},
		"something after the keys":   {localIssuer, append(bytes.Clone(one), "x"...), "PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := accesstest.NewLocalTeam(test.issuer, test.keys); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// ed25519Key is an Ed25519 key.
const ed25519Key = `
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----`
