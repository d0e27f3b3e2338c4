package core

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// adaClaims are the claims of the person in the documents here.
var adaClaims = &Claims{RegisteredClaims: jwt.RegisteredClaims{Subject: "7335d417"}, Email: "ada@example.com"}

// identityDocumentOfAccess has every member that Cloudflare's page names.
const identityDocumentOfAccess = `{
	"id": "P51Tuu01fWHMBjIBvrCK1lK-eUDWs2aQMv03WDqT5oY", "name": "Ada Lovelace", "email": "ada@example.com",
	"user_uuid": "7335d417", "account_id": "699d98642c564d2e855e9661899b7252", "iat": 1659474397, "ip": "203.0.113.5",
	"auth_status": "NONE", "common_name": "", "service_token_id": "", "service_token_status": false,
	"is_warp": true, "is_gateway": true, "gateway_account_id": "699d", "device_id": "f174e90a", "version": 2,
	"idp": {"id": "12ed", "type": "azureAD"}, "geo": {"country": "DE"}, "amr": ["pwd"],
	"mtls_auth": {"cert_issuer_dn": "", "cert_presented": false},
	"devicePosture": {"a1": {"type": "disk_encryption", "success": true}}, "device_sessions": {"x": {"last_authenticated": 1}},
	"groups": ["engineering", {"id": "g1", "name": "security"}, {"id": "g2", "email": "ops@example.com"}],
	"oidc_fields": {"department": "research", "level": 7}, "custom": {"level": "8", "site": "Berlin"}
}`

func TestIdentity(t *testing.T) {
	got, err := decodeIdentity([]byte(identityDocumentOfAccess), adaClaims)
	if err != nil {
		t.Fatal(err)
	}
	want := &Identity{
		Email: "ada@example.com", Name: "Ada Lovelace", ID: "P51Tuu01fWHMBjIBvrCK1lK-eUDWs2aQMv03WDqT5oY", UserUUID: "7335d417",
		AccountID: "699d98642c564d2e855e9661899b7252", IP: "203.0.113.5", DeviceID: "f174e90a", IsWARP: true, IsGateway: true,
		Groups:        []Group{{Name: "engineering"}, {ID: "g1", Name: "security"}, {ID: "g2", Email: "ops@example.com"}},
		DevicePosture: map[string]json.RawMessage{"a1": json.RawMessage(`{"type": "disk_encryption", "success": true}`)},
		Custom:        map[string]any{"department": "research", "level": "8", "site": "Berlin"},
		document:      got.document,
	}
	want.IDP.ID, want.IDP.Type, want.Geo.Country = "12ed", "azureAD", "DE"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	var rest struct {
		IAT  int64 `json:"iat"`
		MTLS struct {
			Presented bool `json:"cert_presented"`
		} `json:"mtls_auth"`
		AMR []string
	}
	if err := got.Decode(&rest); err != nil || rest.IAT != 1659474397 || rest.AMR[0] != "pwd" {
		t.Errorf("Decode: %v, %+v", err, rest)
	}
	if err := got.Decode(&struct{ Name int }{}); err == nil {
		t.Error("Decode into a struct that doesn't fit: no error")
	}
	if err := new(Identity).Decode(&rest); err == nil {
		t.Error("Decode without a document: no error")
	}
	// The document may hold more than is fit for a log.
	if text := fmt.Sprintf("%v %+v %#v %v", got, got, *got, *got); strings.Contains(text, "mtls_auth") {
		t.Errorf("the document is printed: %s", text)
	}
}

func TestIdentityDocuments(t *testing.T) {
	documents := map[string]struct {
		document string
		groups   []Group // nil: an error
	}{
		"strings":                      {`{"email":"ada@example.com","groups":["a","b"]}`, []Group{{Name: "a"}, {Name: "b"}}},
		"objects":                      {`{"email":"ada@example.com","groups":[{"id":"1","name":"a","email":"a@x"}]}`, []Group{{"1", "a", "a@x"}}},
		"mixed":                        {`{"email":"ada@example.com","groups":["a",{"name":"b"}]}`, []Group{{Name: "a"}, {Name: "b"}}},
		"none":                         {`{"email":"ada@example.com","groups":[]}`, []Group{}},
		"absent":                       {`{"email":"ada@example.com"}`, []Group{}},
		"null":                         {`{"email":"ada@example.com","groups":null}`, []Group{}},
		"a null among them":            {`{"email":"ada@example.com","groups":[null,"a"]}`, []Group{{}, {Name: "a"}}},
		"unknown members":              {`{"email":"ada@example.com","x":{"y":[1]},"groups":[{"name":"a","x":[{}]}]}`, []Group{{Name: "a"}}},
		"an id of another type":        {`{"email":"ada@example.com","groups":[{"id":7,"name":"a"}]}`, []Group{{Name: "a"}}},
		"escapes":                      {`{"email":"ada@example.com","groups":["\u0061","ä"]}`, []Group{{Name: "a"}, {Name: "ä"}}},
		"half of a surrogate pair":     {`{"email":"ada@example.com","groups":["a","\ud83d"]}`, []Group{{Name: "a"}, {Name: "\ufffd"}}},
		"bytes that aren't UTF-8":      {"{\"email\":\"ada@example.com\",\"name\":\"\xff\",\"groups\":[\"a\"]}", []Group{{Name: "a"}}},
		"a number among them":          {`{"email":"ada@example.com","groups":["a",7]}`, nil},
		"an array among them":          {`{"email":"ada@example.com","groups":[["a"]]}`, nil},
		"an object":                    {`{"email":"ada@example.com","groups":{"a":true}}`, nil},
		"a string":                     {`{"email":"ada@example.com","groups":"a"}`, nil},
		"twice":                        {`{"email":"ada@example.com","groups":["a"],"groups":[]}`, nil},
		"of another case":              {`{"email":"ada@example.com","groups":["a"],"Groups":[],"GROUPS":["b"]}`, []Group{{Name: "a"}}},
		"other members of wrong types": {`{"email":"ada@example.com","name":7,"id":{},"is_warp":"yes","idp":[],"geo":"DE","devicePosture":7,"oidc_fields":[],"custom":"","groups":["a"]}`, []Group{{Name: "a"}}},
		"an email of another type":     {`{"email":7,"groups":["a"]}`, nil},
		"after the document":           {`{"email":"ada@example.com"}{}`, nil},
		"empty":                        {``, nil},
		"not an object":                {`["ada@example.com"]`, nil},
	}
	for name, test := range documents {
		t.Run(name, func(t *testing.T) {
			got, err := decodeIdentity([]byte(test.document), adaClaims)
			if (err != nil) != (test.groups == nil) {
				t.Fatalf("got error %v", err)
			}
			if err == nil && !slices.Equal(got.Groups, test.groups) {
				t.Errorf("got %+v, want %+v", got.Groups, test.groups)
			}
		})
	}
	t.Run("thousands of groups", func(t *testing.T) {
		names := make([]string, 5000)
		for i := range names {
			names[i] = fmt.Sprintf("a-group-of-a-large-company-%d", i)
		}
		document, err := json.Marshal(object{"email": "ada@example.com", "groups": names})
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeIdentity(document, adaClaims)
		if err != nil || len(got.Groups) != 5000 || got.Groups[4999].Name != names[4999] {
			t.Errorf("%d groups, %v", len(got.Groups), err)
		}
	})
}

// The identity has to be that of the person in the token.
func TestIdentityIsOf(t *testing.T) {
	claims := func(email, subject string) *Claims {
		return &Claims{RegisteredClaims: jwt.RegisteredClaims{Subject: subject}, Email: email}
	}
	for name, test := range map[string]struct {
		email, uuid string
		claims      *Claims
		want        bool
	}{
		"both":                              {"ada@example.com", "1", claims("ada@example.com", "1"), true},
		"email in another case":             {"Ada@Example.com", "1", claims("ada@example.com", "1"), true},
		"email alone":                       {"ada@example.com", "", claims("ada@example.com", "1"), true},
		"uuid alone":                        {"", "1", claims("ada@example.com", "1"), true},
		"claims without a subject":          {"ada@example.com", "1", claims("ada@example.com", ""), true},
		"claims without an email":           {"ada@example.com", "1", claims("", "1"), true},
		"another email":                     {"eve@example.com", "1", claims("ada@example.com", "1"), false},
		"another uuid":                      {"ada@example.com", "2", claims("ada@example.com", "1"), false},
		"another email, no uuid":            {"eve@example.com", "", claims("ada@example.com", "1"), false},
		"another uuid, no email":            {"", "2", claims("ada@example.com", "1"), false},
		"nothing to compare":                {"", "1", claims("ada@example.com", ""), false},
		"nothing to compare, the other way": {"ada@example.com", "", claims("", "1"), false},
		"the Kelvin sign is no k":           {"\u212aate@example.com", "", claims("kate@example.com", "1"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (&Identity{Email: test.email, UserUUID: test.uuid}).isOf(test.claims); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// Groups matches a group's id, name or email exactly.
func TestGroups(t *testing.T) {
	r := newIdentityRig(t)
	r.access.answer = answerWith(200, "application/json", `{"email":"ada@example.com","groups":["engineering",{"id":"g1","name":"","email":"ops@example.com"},{}]}`)
	ada := r.person(t, "ada@example.com")
	for name, test := range map[string]struct {
		groups []string
		want   error
	}{
		"a name":              {[]string{"engineering"}, nil},
		"an id":               {[]string{"g1"}, nil},
		"an email":            {[]string{"ops@example.com"}, nil},
		"one of several":      {[]string{"x", "g1"}, nil},
		"another":             {[]string{"security"}, ErrForbidden},
		"other case":          {[]string{"Engineering", "G1", "Ops@example.com"}, ErrForbidden},
		"a part":              {[]string{"engineer", "engineering ", "ops"}, ErrForbidden},
		"none":                {nil, ErrForbidden},
		"an empty name":       {[]string{""}, ErrForbidden},
		"an empty name among": {[]string{"", "engineering"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			given := slices.Clone(test.groups)
			policy := Groups(given...)
			for i := range given {
				given[i] = "engineering" // the policy has a copy
			}
			_, err := Require(NewContext(t.Context(), ada), policy)
			wantClass(t, err, test.want)
			_, err = Require(NewContext(t.Context(), ada), Not(policy))
			wantClass(t, err, map[bool]error{true: ErrForbidden}[test.want == nil])
		})
	}
}

// FuzzIdentity looks for a document that causes a panic, that is taken for
// another person's, or of which a group gets lost.
func FuzzIdentity(f *testing.F) {
	for _, seed := range []string{
		identityDocumentOfAccess, `{}`, `null`, `{"email":"ada@example.com","groups":["a",{"id":"1","name":"b","email":"c"},null,7]}`,
		`{"email":"ada@example.com","groups":null}`, `{"email":"eve@example.com","groups":["a"]}`, `{"user_uuid":"7335d417","groups":[{"name":"\ud83d"}]}`,
		`{"email":"ada@example.com","groups":["a"],"groups":[]}`, `{"email":"ada@example.com","groups":["a"],"Groups":[]}`, `{"err":"no app token set"}`,
		`{"email":"ada@example.com","idp":7,"geo":[],"is_warp":"x","devicePosture":{"a":1},"oidc_fields":{"a":{"b":[1]}},"custom":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		got, err := decodeIdentity(document, adaClaims)
		if err != nil {
			if got != nil {
				t.Fatalf("an identity with error %v", err)
			}
			return
		}
		if got.Email == "" && got.UserUUID == "" || got.Email != "" && !strings.EqualFold(got.Email, adaClaims.Email) || got.UserUUID != "" && got.UserUUID != adaClaims.Subject {
			t.Fatalf("taken for ada's: %+v", got)
		}
		// encoding/json reads the same groups, member by exact name.
		var members map[string]json.RawMessage
		if err := json.Unmarshal(document, &members); err != nil {
			t.Fatalf("encoding/json: %v", err)
		}
		var groups []json.RawMessage
		if members["groups"] != nil {
			if err := json.Unmarshal(members["groups"], &groups); err != nil {
				t.Fatalf("groups of another type: %v", err)
			}
		}
		if len(groups) != len(got.Groups) {
			t.Fatalf("%d groups of %d", len(got.Groups), len(groups))
		}
		for i, group := range groups {
			var want Group
			var object map[string]any
			if json.Unmarshal(group, &want.Name) != nil && json.Unmarshal(group, &object) == nil {
				want.ID, _ = object["id"].(string)
				want.Name, _ = object["name"].(string)
				want.Email, _ = object["email"].(string)
			}
			if got.Groups[i] != want {
				t.Fatalf("group %d is %+v, want %+v", i, got.Groups[i], want)
			}
		}
		if weight := got.weigh(); weight < len(document) || weight > maxIdentity {
			t.Fatalf("%d bytes weigh %d", len(document), weight)
		}
	})
}
