package differential

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// No edit alone makes an unnamed difference, each class has tokens, and each peer that
// a class names differs for it.
func TestEachEdit(t *testing.T) {
	verifiers, counts := newVerifiers(t), make(tally)
	add := func(place int, service bool, edits ...edit) {
		o := verifyAll(verifiers, service, place, edits)
		if err := o.difference(); err != nil {
			t.Errorf("%v\n%v", err, o)
		}
		counts.add(o)
	}
	for _, e := range append(editsBeforeSigning(), editsAfterSigning()...) {
		add(100, false, e)
		add(101, true, e)
	}
	// No peer tries another key than the one that is named, unless none is.
	add(0, false, signs(jwt.SigningMethodRS256, current.private, previous.id, "RS256", otherKey), forms("header kid", []string{""}, noKid)[0])
	for _, c := range classes {
		if counts[c]["tokens"] == 0 {
			t.Errorf("no token is in the class %q", c.name)
		}
		for _, peer := range c.peers {
			if counts[c][peer] == 0 {
				t.Errorf("%s never differs for %q", peer, c.name)
			}
		}
	}
}

// A token without edits has the claims that Access gives it.
func TestBuild(t *testing.T) {
	for service, want := range map[bool]string{
		false: `{"aud":["` + audience + `"],"country":"US","custom":{"groups":["g1","ops"],"level":7,"none":null,"on":true},"email":"żółw@example.com",` +
			`"exp":1,"iat":1,"identity_nonce":"6ei69kawdKzMIAPF","iss":"` + issuer + `","nbf":1,"sub":"7335d417-61da-459d-899c-0a01c76a2f94","type":"app"}`,
		true: `{"aud":["` + audience + `"],"common_name":"e367826f93b8d711.access","exp":1,"iat":1,"iss":"` + issuer + `","sub":"","type":"app"}`,
	} {
		token := build(service, 0, nil)
		claims := jwt.MapClaims{}
		parsed, err := jwt.ParseWithClaims(token.sent, claims, func(*jwt.Token) (any, error) { return &current.private.PublicKey, nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, date := range []string{"exp", "iat", "nbf"} {
			if claims[date] != nil {
				claims[date] = 1
			}
		}
		got := must(json.Marshal(claims))
		if string(got) != want || parsed.Header["kid"] != current.id || len(token.classes) > 0 {
			t.Errorf("service %t: header %v, claims %s, classes %v", service, parsed.Header, got, token.classes)
		}
	}
}

// Whether type may be absent depends on the other claims.
func TestPersonWithoutType(t *testing.T) {
	for name, test := range map[string]struct {
		service bool
		edits   []edit
		want    bool
	}{
		"person":                         {false, nil, true},
		"service":                        {true, nil, false},
		"service with an empty email":    {true, sets("claims email", []string{`""`}), false},
		"service with sub null":          {true, sets("claims sub", []string{"null"}), false},
		"service with a sub beside":      {true, forms("claims sub", []string{`{},"SUB":"x"`}), false},
		"service with an email":          {true, sets("claims email", []string{`"x"`}), true},
		"service with a sub":             {true, sets("claims sub", []string{`"x"`}), true},
		"service without a common name":  {true, forms("claims common_name", []string{""}), true},
		"service with common_name empty": {true, sets("claims common_name", []string{`""`}), true},
	} {
		for _, absent := range append(sets("claims type", []string{"null"}), forms("claims type", []string{"", `"Type":"app"`, `"type":null,"TYPE":"app"`})...) {
			token := build(test.service, 0, append(test.edits, absent))
			if got := slices.Contains(token.classes, noTokenType); got != test.want {
				t.Errorf("%s, %#v: %t, want %t", name, absent, got, test.want)
			}
		}
	}
	if token := build(false, 0, forms("claims type", []string{`"TYPE":"org",{}`})); len(token.classes) > 0 {
		t.Errorf("a type beside another: %v", token.classes)
	}
}

// A token is in the classes of its length, whichever edit made it so long.
func TestTooLong(t *testing.T) {
	for _, e := range append(spellingEdits(), editsAfterSigning()...) {
		token := build(false, 0, []edit{e})
		header, _, _ := strings.Cut(token.signed, ".")
		if got := slices.Contains(token.classes, tooLong); got != (len(token.sent) > 8192) {
			t.Errorf("%#v: %d bytes, too long: %t", e, len(token.sent), got)
		}
		if got := slices.Contains(token.classes, headerTooLong); got != (len(header) > 512) {
			t.Errorf("%#v: header of %d bytes, too long: %t", e, len(header), got)
		}
	}
}

// The keys have the sizes and exponents that their classes need.
func TestKeys(t *testing.T) {
	for _, k := range append(slices.Clone(published), withdrawn, stranger) {
		bits, exponent := 2048, 65537
		switch k.id {
		case weak.id:
			bits = 1024
		case exponent3.id:
			exponent = 3
		}
		if k.private.N.BitLen() != bits || k.private.E != exponent || k.private.Validate() != nil {
			t.Errorf("%.1s: %d bits, exponent %d: %v", k.id, k.private.N.BitLen(), k.private.E, k.private.Validate())
		}
	}
}
