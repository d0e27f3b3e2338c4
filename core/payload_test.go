package core

import (
	"encoding/json"
	"errors"
	"testing"
)

// A claim that comes twice is nothing that a team signs. If one does, the last
// counts (RFC 7519 section 4), also where that is null.
func TestPayloadOfRepeatedClaims(t *testing.T) {
	const good = `{"iss":"https://acme.cloudflareaccess.com","aud":["ours"],"exp":4102444800,"nbf":0,"iat":0,"type":"app"`
	for name, test := range map[string]struct {
		again string
		want  error
	}{
		"none":                   {``, nil},
		"iss, another":           {`,"iss":"https://other.cloudflareaccess.com"`, ErrIssuer},
		"iss, null":              {`,"iss":null`, ErrIssuer},
		"aud, another":           {`,"aud":["theirs"]`, ErrAudience},
		"aud, null":              {`,"aud":null`, ErrAudience},
		"aud, null in its place": {`,"aud":[null]`, ErrAudience},
		"exp, past":              {`,"exp":1`, ErrExpired},
		"exp, null":              {`,"exp":null`, ErrMalformed},
		"nbf, to come":           {`,"nbf":4102444800`, ErrNotYetValid},
		"nbf, to come, null":     {`,"nbf":4102444800,"nbf":null`, nil},
		"iat, to come":           {`,"iat":4102444800`, ErrNotYetValid},
		"iat, to come, null":     {`,"iat":4102444800,"iat":null`, nil},
		"type, another":          {`,"type":"org"`, ErrTokenType},
		"type, another, null":    {`,"type":"org","type":null`, nil},
		"type, empty":            {`,"type":""`, ErrTokenType},
	} {
		t.Run(name, func(t *testing.T) {
			var p payload
			if err := json.Unmarshal([]byte(good+test.again+"}"), &p); err != nil {
				t.Fatal(err)
			}
			err := newValidator("https://acme.cloudflareaccess.com", []string{"ours"}, 0).Validate(&p)
			if err != nil {
				err = classify(err, &p)
			}
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// So it is with the claims that policies ask for.
func TestPayloadOfRepeatedIdentities(t *testing.T) {
	for name, test := range map[string]struct{ json, want string }{
		"null":      {`{"sub":"a","sub":null,"email":"a","email":null,"common_name":"a","common_name":null,"country":"a","country":null}`, ""},
		"another":   {`{"sub":"a","sub":"b","email":"a","email":"b","common_name":"a","common_name":"b","country":"a","country":"b"}`, "b"},
		"not UTF-8": {"{\"sub\":\"\xff\",\"email\":\"\xff\",\"common_name\":\"\xff\",\"country\":\"\xff\"}", "\ufffd"},
		"escaped":   {`{"sub":"\u0062","email":"\u0062","common_name":"\u0062","country":"\u0062"}`, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			var p payload
			if err := json.Unmarshal([]byte(test.json), &p); err != nil {
				t.Fatal(err)
			}
			c := p.claims(origin{})
			for _, got := range []string{c.Subject, c.Email, c.CommonName, c.Country} {
				if got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			}
		})
	}
}
