package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

var claimMutations = []mutation{
	{"claim missing", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		return remove(&d.claims, r)
	}},
	{"claim of another type", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		return replace(&d.claims, r, otherValues...)
	}},
	{"claim null", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		return replace(&d.claims, r, "null")
	}},
	{"claim empty", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		return replace(&d.claims, r, `""`, "[]", "{}", `[""]`, "0")
	}},
	{"claim in other Unicode", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		name := pick(r, "iss", "aud", "type", "email", "sub")
		return inOtherUnicode(&d.claims, name, r)
	}},
	{"other issuer", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		value := pick(r,
			issuer+"/", strings.Replace(issuer, "https", "http", 1), strings.ToUpper(issuer), "https://evil.cloudflareaccess.com",
			issuer+".evil.example", "https://evil.example/"+issuer, " "+issuer, issuer+" ", issuer+"\x00", issuer+":443",
			"https://user@"+team+".cloudflareaccess.com", team+".cloudflareaccess.com", team, "https://"+team+".fed.cloudflareaccess.com",
			issuer[:len(issuer)-1], issuer+"?", issuer+"#", "https://ACME.cloudflareaccess.com", "https://acme.cloudflareaccess.com.",
			"accounts.google.com", "https://accounts.google.com", "")
		return change(&d.claims, "iss", quote(value))
	}},
	{"issuer in a list", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		return change(&d.claims, "iss", pick(r, `["`+issuer+`"]`, `{"iss":"`+issuer+`"}`, `["https://evil.example","`+issuer+`"]`))
	}},
	{"other audience", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		value := pick(r, fmt.Sprintf("%064x", r.Uint64()), strings.ToUpper(audience), audience[:63], audience+"0", " "+audience,
			audience+" ", audience+","+audience, "*", "", audience+"\x00", "["+audience+"]")
		return change(&d.claims, "aud", pick(r, `["`+value+`"]`, quote(value), `["x",`+quote(value)+`]`, quote(value)))
	}},
	{"audience in another form", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		ours := `"` + audience + `"`
		return change(&d.claims, "aud", pick(r, ours, `["x",`+ours+`]`, `[`+ours+`,"x"]`, `[`+ours+`,`+ours+`]`, `["",`+ours+`]`, `[`+ours+`,""]`,
			`[ `+ours+` , "x" ]`, `[null,`+ours+`]`, `[`+ours+`,null]`, `[1,`+ours+`]`, `[`+ours+`,{}]`, `[[`+ours+`]]`, `{"0":`+ours+`}`,
			`{`+ours+`:true}`, `[true]`, `[`+ours+`,["x"]]`, `["x"`+strings.Repeat(`,"y"`, r.IntN(60))+`,`+ours+`]`))
	}},
	{"other type of token", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		return change(&d.claims, "type", pick(r, `"org"`, `"APP"`, `"App"`, `"app "`, `" app"`, `""`, `"apps"`, `"ap"`, `"service"`, `"app\u0000"`,
			`"\u0061pp"`, "null", `["app"]`, "1", "true", `"аpp"`))
	}},
	{"claim repeated", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		return repeat(d, &d.claims, r, claimValue)
	}},
	{"claim named in another case", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		return rename(&d.claims, r, inAnotherCase)
	}},
	{"claim beside one in another case", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		return shadow(d, &d.claims, r, claimValue)
	}},
	{"claim's name escaped", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		return rename(&d.claims, r, escaped)
	}},
	{"claim's name misspelled", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		return rename(&d.claims, r, misspelling)
	}},
	{"claims in another order", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		return shuffle(d.claims, r)
	}},
	{"claim added", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		name := pick(r, "jti", "nonce", "at_hash", "azp", "amr", "email_verified",
			"_claim_names", "_claim_sources", "policy_id", "custom", "", "__proto__",
			"common_name", "sub", "events")
		return add(&d.claims, name, pick(r, otherValues...), r)
	}},
	{"claims of a great size", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		// So that some tokens are just under 8 KiB and some just over it.
		size := pick(r, 1000+r.IntN(7000), 5100+r.IntN(400), 8000+r.IntN(80_000))
		return add(&d.claims, pick(r, "custom", "filler", "email"), `"`+strings.Repeat("x", size)+`"`, r)
	}},
}

// otherValues are JSON of every type, most of it the wrong one.
var otherValues = []string{
	"0", "1", "-1", "1.5", "1e400", "true", "false", `"x"`, `""`, `"1700000000"`, "[]", "{}", "[1]", `["x"]`, `[null]`, `{"x":1}`, `{"x":"y"}`, `[[["x"]]]`,
	"null", "99999999999999999999", `{"` + issuer + `":1}`, `"\ud800"`, `"\u0000"`, `{"x":{"y":["z"]}}`,
}

// claimValue returns another value for a claim: at times a good one.
func claimValue(d *draft, name string, r *rand.Rand) string {
	now := d.now.Unix()
	switch {
	case r.IntN(4) == 0:
		return pick(r, otherValues...)
	case r.IntN(4) == 0:
		return "null"
	}
	switch name {
	case "iss":
		return quote(pick(r, issuer, "https://evil.example"))
	case "aud":
		return pick(r, `["`+audience+`"]`, `"`+audience+`"`, `["x"]`, `"x"`, "[]", "[null]")
	case "exp":
		return fmt.Sprint(now + pick[int64](r, -3600, 3600))
	case "nbf", "iat":
		return fmt.Sprint(now + pick[int64](r, -60, 3600))
	case "type":
		return pick(r, `"app"`, `"org"`)
	default:
		return quote(fmt.Sprint("v", r.IntN(1000)))
	}
}
