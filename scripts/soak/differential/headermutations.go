package main

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

var headerMutations = []mutation{
	{"other alg", levelHeader, stageMembers, func(d *draft, r *rand.Rand) string {
		return change(&d.header, "alg", pick(r, `"none"`, `"None"`, `"NONE"`, `"HS256"`, `"RS384"`, `"RS512"`, `"PS256"`,
			`"ES256"`, `"EdDSA"`, `"rs256"`, `"RS256 "`,
			`"RS256\u0000"`, `""`, "null", "256", `["RS256"]`, `"\u0052S256"`, `"RS1"`, `"dir"`, `"x"`))
	}},
	{"other kid", levelHeader, stageMembers, func(d *draft, r *rand.Rand) string {
		kid := d.keys.current.id
		return change(&d.header, "kid", pick(r, quote(fmt.Sprintf("%064x", r.Uint64())), `""`, "null", "1", `["`+kid+`"]`, quote(strings.ToUpper(kid)),
			quote(kid+" "), quote(kid[:63]), quote(kid+"\x00"), `"../../dev/null"`, `"' OR 1=1 --"`,
			quote(d.keys.previous.id), `"\u00`+fmt.Sprintf("%02x", kid[0])+kid[1:]+`"`,
			quote(d.keys.withdrawn.id), quote(d.keys.weak.id), quote(d.keys.encryption.id), quote(strings.Repeat("f", r.IntN(1500))), "true", "{}", `"0"`))
	}},
	{"other typ", levelHeader, stageMembers, func(d *draft, r *rand.Rand) string {
		return change(&d.header, "typ", pick(r, `"at+jwt"`, `"jwt"`, `"JOSE"`, `""`, "null", "1", `["JWT"]`, `"application/jwt"`, `"kb+jwt"`, "{}"))
	}},
	{"header field missing", levelHeader, stageMembers, func(d *draft, r *rand.Rand) string {
		return remove(&d.header, r)
	}},
	{"crit", levelHeader, stageMembers, func(d *draft, r *rand.Rand) string {
		if r.IntN(3) == 0 {
			d.header.set("b64", pick(r, "true", "false"))
		}
		return add(&d.header, "crit", pick(r, `["exp"]`, `["b64"]`, `[]`, "null", `"exp"`, "1", `["x"]`, `["b64","b64"]`, "{}", "[1]", "false"), r)
	}},
	{"key in the header", levelHeader, stageMembers, func(d *draft, r *rand.Rand) string {
		certificate := base64.StdEncoding.EncodeToString(randomBytes(r, 60))
		m := pick(r, member{"jwk", jwkText(pick(r, d.keys.stranger, d.keys.current))}, member{"jwk", pick(r, "null", "{}", `"x"`, "1")},
			member{"jku", `"https://evil.example/keys"`}, member{"jku", "1"}, member{"x5u", `"https://evil.example/cert"`},
			member{"x5c", `["` + certificate + `"]`}, member{"x5c", pick(r, "[]", `"x"`, "null", "[1]")},
			member{"x5t", `"` + strings.Repeat("A", 27) + `"`}, member{"x5t#S256", pick(r, `"x"`, "1")})
		return add(&d.header, m.name, m.value, r)
	}},
	{"header field added", levelHeader, stageMembers, func(d *draft, r *rand.Rand) string {
		name := pick(r, "b64", "cty", "zip", "enc", "nonce", "epk", "iss", "x", "", "p2c", "url", "iv")
		return add(&d.header, name, pick(r, append(otherValues, `"JWT"`, "false", "true", `"DEF"`)...), r)
	}},
	{"header field repeated", levelHeader, stageMembers, func(d *draft, r *rand.Rand) string {
		return repeat(d, &d.header, r, headerValue)
	}},
	{"header field named in another case", levelHeader, stageMembers, func(d *draft, r *rand.Rand) string {
		return rename(&d.header, r, inAnotherCase)
	}},
	{"header field beside one in another case", levelHeader, stageMembers, func(d *draft, r *rand.Rand) string {
		return shadow(d, &d.header, r, headerValue)
	}},
	{"crit in another case", levelHeader, stageMembers, func(d *draft, r *rand.Rand) string {
		return add(&d.header, pick(r, "Crit", "CRIT", "crIt"), pick(r, `["exp"]`, "null", "1"), r)
	}},
	{"header field's name escaped", levelHeader, stageMembers, func(d *draft, r *rand.Rand) string {
		return rename(&d.header, r, escaped)
	}},
	{"header field's name misspelled", levelHeader, stageMembers, func(d *draft, r *rand.Rand) string {
		return rename(&d.header, r, misspelling)
	}},
	{"header in another order", levelHeader, stageMembers, func(d *draft, r *rand.Rand) string {
		return shuffle(d.header, r)
	}},
	{"header of a great size", levelHeader, stageMembers, func(d *draft, r *rand.Rand) string {
		// So that some segments are just under 2 KiB and some just over it.
		size := pick(r, r.IntN(2000), 1390+r.IntN(60), 2000+r.IntN(5000))
		return add(&d.header, "filler", `"`+strings.Repeat("x", size)+`"`, r)
	}},
}

// headerValue returns another value for a header field: at times a good one.
func headerValue(d *draft, name string, r *rand.Rand) string {
	if r.IntN(3) == 0 {
		return pick(r, "null", "1", `""`, "{}", `["x"]`)
	}
	switch name {
	case "alg":
		return pick(r, `"RS256"`, `"none"`, `"HS256"`, `"RS512"`)
	case "kid":
		return quote(pick(r, d.keys.current.id, d.keys.previous.id, d.keys.stranger.id, "x"))
	default:
		return pick(r, `"JWT"`, `"x"`)
	}
}

func jwkText(k key) string {
	var o object
	jwk := k.jwk("RS256", "sig")
	for _, name := range []string{"kty", "kid", "n", "e"} {
		o.set(name, quote(jwk[name]))
	}
	return o.String()
}
