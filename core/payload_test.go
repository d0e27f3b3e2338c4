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
