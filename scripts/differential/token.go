// Package differential makes tokens, good and bad, and knows from how it made each one
// which rules it breaks. The test compares that with the decisions of cfaccess, go-oidc
// and jwx.
package differential

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cfaccess/cfaccess/scripts/peers"
)

const (
	issuer                = "https://" + peers.Team + ".cloudflareaccess.com"
	audience              = peers.Audience
	mostToken, mostHeader = 8 << 10, 512
)

// A token has the classes of the edits that made it.
type token struct {
	header, claims string // as JSON
	signed, sent   string
	classes        []*class

	now      time.Time
	place    int               // where in a text an edit happens that can happen anywhere
	kid, alg string            // what the header says
	method   jwt.SigningMethod // how it is signed, whatever the header says
	key      any
}

// started is when the process started. Most dates are relative to it, so that many
// tokens have the same and one signature serves them all.
var started = time.Now().Unix()

// build makes the token of a person, or of a service, with these edits.
func build(service bool, place int, edits []edit) *token {
	t := &token{now: time.Now(), place: place, method: jwt.SigningMethodRS256, key: current.private, kid: current.id, alg: "RS256"}
	// edited returns the text with the edits of a slot. One that changes nothing breaks nothing.
	edited := func(slot, text string) string {
		for _, e := range edits {
			if before := text; e.slot == slot {
				if text = e.apply(text, t); text != before {
					t.classes = append(t.classes, e.classes...)
				}
			}
		}
		return text
	}
	// object returns a JSON object of values by name, and puts there what became of each.
	object := func(part string, values map[string]string) string {
		var members []string
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if values[name] != "" {
				values[name] = quote(name) + ":" + values[name]
			}
			if values[name] = edited(part+" "+name, values[name]); values[name] != "" {
				members = append(members, values[name])
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	}

	edited("signature", "")
	t.header = edited("header", object("header", map[string]string{"alg": quote(t.alg), "kid": quote(t.kid), "typ": `"JWT"`, "more": ""}))

	claims := map[string]string{"aud": "[" + quote(audience) + "]", "exp": fmt.Sprint(started + 86400), "iat": fmt.Sprint(started - 60), "iss": quote(issuer), "type": `"app"`,
		"email": `"żółw@example.com"`, "nbf": fmt.Sprint(started - 60), "sub": `"7335d417-61da-459d-899c-0a01c76a2f94"`, "country": `"US"`, "identity_nonce": `"6ei69kawdKzMIAPF"`,
		"custom": `{"groups":["g1","ops"],"level":7,"on":true,"none":null}`, "common_name": "", "jti": "", "more": ""}
	if service {
		maps.Copy(claims, map[string]string{"common_name": `"e367826f93b8d711.access"`, "sub": `""`, "email": "", "nbf": "", "country": "", "identity_nonce": "", "custom": ""})
	}
	t.claims = object("claims", claims)
	given := func(name string, empty ...string) bool {
		_, value, ok := strings.Cut(claims[name], quote(name)+":")
		return ok && !slices.ContainsFunc(empty, func(e string) bool { return strings.HasPrefix(value+",", e+",") })
	}
	if !given("type", "null") && (!given("common_name", "null", `""`) || given("sub", "null", `""`) || given("email", "null", `""`)) {
		t.classes = append(t.classes, noTokenType)
	}
	t.claims = edited("claims", t.claims)

	header, payload := edited("header segment", encode(t.header)), edited("claims segment", encode(t.claims))
	if len(header) > mostHeader {
		t.classes = append(t.classes, headerTooLong)
	}
	signature := t.sign(header + "." + payload)
	t.signed = header + "." + payload + "." + signature
	t.sent = edited("token", edited("header sent", header)+"."+edited("claims sent", payload)+"."+edited("signature sent", signature))
	if len(t.sent) > mostToken {
		t.classes = append(t.classes, tooLong)
	}
	return t
}

// signatures are those of the last tokens, by what was signed: signing is slow.
var signatures = make(map[string]string)

func (t *token) sign(input string) string {
	of := fmt.Sprintf("%s %p %s", t.method.Alg(), t.key, input)
	if _, ok := signatures[of]; !ok {
		if len(signatures) == 10_000 {
			clear(signatures)
		}
		signatures[of] = encode(must(t.method.Sign(input, t.key)))
	}
	return signatures[of]
}

func encode[T string | []byte](b T) string { return base64.RawURLEncoding.EncodeToString([]byte(b)) }
