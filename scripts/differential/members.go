package differential

import (
	"fmt"
	"slices"
	"strings"
)

// anyJSON are values of every type.
var anyJSON = []string{"null", "0", "-1.5", "true", `"x"`, `""`, "[]", "[1]", `["x"]`, "{}", `{"x":{"y":["z"]}}`, `"\u0000"`}

func headerEdits() []edit {
	kid, evil := current.id, quoted("https://evil.example/x")
	edits := slices.Concat(
		renames("header alg", []*class{noAlg}, []*class{noAlg}), sets("header alg", []string{"null", `""`, "256", `["RS256"]`, "{}"}, noAlg),
		sets("header alg", quoted("none", "HS256", "RS384", "RS512", "PS256", "ES256", "EdDSA", "rs256", "RS256 ", `RS256\u0000`, "x"), otherAlg),
		forms("header alg", []string{`"alg":"none",{}`}, headerTwice), forms("header alg", []string{`{},"alg":"none"`}, headerTwice, otherAlg),
		forms("header alg", []string{`{},"alg":null`}, headerTwice, noAlg), forms("header alg", []string{`"Alg":1,{}`, `{},"ALG":"none"`}),

		renames("header kid", []*class{noKid}, []*class{noKid}), sets("header kid", []string{"null", `""`, "1", `["` + kid + `"]`, "{}"}, noKid),
		sets("header kid", quoted(strings.ToUpper(kid), kid+" ", kid[:63], kid+`\u0000`, "../../dev/null", "' OR 1=1 --", strings.Repeat("f", 200)), unpublished),
		forms("header kid", []string{`"kid":"x",{}`}, headerTwice), forms("header kid", []string{`{},"kid":"x"`}, headerTwice, unpublished),
		forms("header kid", []string{`{},"kid":null`}, headerTwice, noKid), forms("header kid", []string{"\"\u212aid\":1,{}", `{},"KID":"x"`}),

		renames("header typ", nil, nil), sets("header typ", quoted("at+jwt", "jwt", "JOSE", "", "application/jwt", "kb+jwt")),
		sets("header typ", []string{"null", "1", `["JWT"]`, "{}"}, headerOther), forms("header typ", []string{`{},"typ":"x"`}, headerTwice),

		sets("header more crit", []string{`["exp"]`, `["x"]`, `"exp"`, "1", "{}", "[1]", "false"}, crit), sets("header more Crit", []string{`["exp"]`, "null"}),
		sets("header more crit", []string{"[]", "null", `["b64"]`, `["b64","b64"]`, `["b64"],"b64":true`}, idleCrit),
		sets("header more b64", []string{"true", "false"}, b64), sets("header more b64", anyJSON, headerOther, b64),
		sets("header more jwk", []string{`{"kty":"RSA","n":"` + encode(previous.private.N.Bytes()[:100]) + `","e":"AQAB"}`}, headerOther),
		sets("header more jku", evil), sets("header more x5u", evil), sets("header more iss", evil), sets("header more cty", quoted("JWT")))
	for _, name := range []string{"jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "cty", "nonce", "zip", "enc", "epk", "p2c", "iv", "url", "x", ""} {
		edits = append(edits, sets("header more "+name, anyJSON, headerOther)...)
	}
	return edits
}

func claimEdits() []edit {
	const host, ours = "acme.cloudflareaccess.com", `"` + audience + `"`
	notText := []string{"1", "true", "{}", `["x"]`}
	edits := slices.Concat(
		renames("claims iss", []*class{wrongIssuer}, []*class{issuerCase}), sets("claims iss", quoted(strings.ReplaceAll(issuer, "/", `\/`))),
		sets("claims iss", quoted("", issuer+"/", "http://"+host, "https://evil.example", strings.ToUpper(issuer), issuer+".evil.example", " "+issuer, issuer+" ",
			issuer+`\u0000`, issuer+":443", "https://user@"+host, host, "https://acme.fed.cloudflareaccess.com", issuer[:len(issuer)-1], issuer+"?",
			"accounts.google.com", "https://accounts.google.com", "h\u0301"+issuer[1:], "\u200b"+issuer, "\ufeff"+issuer, "ｈ"+issuer[1:]), wrongIssuer),
		sets("claims iss", []string{"null"}, wrongIssuer), sets("claims iss", append(notText, `["`+issuer+`"]`, `{"iss":"`+issuer+`"}`), claimType),

		renames("claims aud", []*class{wrongAudience}, []*class{audienceCase}), sets("claims aud", []string{"null", "[]", `[""]`, `["x"]`, `["x","y"]`}, wrongAudience),
		sets("claims aud", []string{ours, `["x",` + ours + `]`, `[` + ours + `,` + ours + `]`, `["",` + ours + `]`, `[` + ours + strings.Repeat(`,"y"`, 60) + `]`}),
		sets("claims aud", quoted("", "x", "*", strings.ToUpper(audience), audience[:63], audience+"0", " "+audience, audience+","+audience, audience+`\u0000`), wrongAudience),
		sets("claims aud", []string{`[null,` + ours + `]`, `[` + ours + `,null]`}, nullAudience),
		sets("claims aud", []string{"1", "true", `[1,` + ours + `]`, `[` + ours + `,{}]`, `[[` + ours + `]]`, `{"0":` + ours + `}`, `{` + ours + `:true}`}, claimType),

		renames("claims type", nil, nil), sets("claims type", []string{"null"}), sets("claims type", notText, accessType), // build knows whether it may be absent
		sets("claims type", quoted("org", "meta", "match", "APP", "App", "app ", " app", "", "apps", "ap", `app\u0000`, "аpp"), wrongTokenType),
		sets("claims sub", notText, claimType), sets("claims email", notText, accessType), sets("claims common_name", notText, accessType),
		sets("claims custom", []string{`{"a":1e400}`, `{"a":[` + strings.Repeat("9", 900) + `]}`}, largeNumber),
		sets("claims custom", []string{`{},"custom":{}`, `{"a":1,"a":2}`}, claimTwice), sets("claims email", []string{`"a","email":"b"`}, claimTwice))
	for _, name := range []string{"sub", "email", "common_name"} {
		edits = slices.Concat(edits, renames("claims "+name, nil, nil), sets("claims "+name, []string{"null", `""`, `"x"`, `"\u0000"`, `"\ud83d\ude00"`, `"😀"`}))
	}
	for _, name := range []string{"jti", "identity_nonce", "country", "custom"} {
		edits = slices.Concat(edits, renames("claims "+name, nil, nil), sets("claims "+name, anyJSON, claimOther))
	}
	for _, name := range []string{"nonce", "at_hash", "_claim_names", "_claim_sources", "azp", "amr", "email_verified", "policy_id", "events", "__proto__", "x", ""} {
		edits = slices.Concat(edits, sets("claims more "+name, anyJSON, oidcClaim), sets("claims more "+name, []string{"1e400", strings.Repeat("9", 900)}, largeNumber, oidcClaim))
	}
	for _, m := range [][2]string{{"iss", `"https://evil.example"`}, {"aud", `["x"]`}, {"exp", "1"}, {"iat", "9999999999"}, {"type", `"org"`}, {"sub", "1"}} {
		for _, value := range []string{m[1], `"x"`, "null", "[" + ours + "]"} {
			second := quote(m[0]) + ":" + value
			edits = append(edits, forms("claims "+m[0], []string{second + ",{}", "{}," + second}, claimTwice)...)
		}
		for _, other := range otherCases(m[0]) {
			other = quote(other) + ":"
			edits = append(edits, forms("claims "+m[0], []string{other + m[1] + ",{}", "{}," + other + m[1], "{}," + other + "null"}, caseBeside)...)
		}
	}
	return edits
}

func dateEdits() []edit {
	edits := slices.Concat(
		renames("claims exp", []*class{noExpiry}, []*class{expiryCase}), renames("claims nbf", nil, nil), renames("claims iat", nil, nil),
		sets("claims exp", []string{"null"}, noExpiry), sets("claims nbf", []string{"null"}, nullDate), sets("claims iat", []string{"null"}, nullDate),
		fromNow("exp", []float64{-86400, -301, -300, -60, -32, -31, -30.5}, expired), fromNow("exp", []float64{3, 30.5, 60, 86400 * 365}),
		fromNow("exp", []float64{-29.5, -28, -15, -1, 0, 0.5, 1, 1.5}, withinLeeway), // a peer may drop the fraction
		fromNow("nbf", []float64{30.5, 32, 60, 270, 298}, slightlyEarly), fromNow("nbf", []float64{302, 330.5, 3600}, early),
		fromNow("iat", []float64{30.5, 32, 60, 298, 302, 3600}, issuedAhead),
		sets("claims exp", []string{"0", "-0", "1", "-1", "-62135596801", "-253402300799", "1e-300", "1e-999", "0e0"}, expired))
	for _, name := range []string{"nbf", "iat"} {
		edits = slices.Concat(edits, fromNow(name, []float64{0.5, 1, 15, 28, 29, 29.5}, withinLeeway), fromNow(name, []float64{-0.5, -1, -30, -300}),
			sets("claims "+name, []string{"0", "1", "1e-300", "1e-999", "0.0000001"}), sets("claims "+name, []string{"-0", "-1", "-1.5", "-253402300799"}, negativeDate))
	}
	ahead := map[string][]*class{"nbf": {early}, "iat": {issuedAhead}}
	for _, m := range [][2]string{{"exp", fmt.Sprint(started + 86400)}, {"nbf", fmt.Sprint(started - 60)}, {"iat", fmt.Sprint(started - 60)}} {
		of, date := "claims "+m[0], m[1]
		edits = slices.Concat(edits, sets(of, []string{"253402300799", "253402300798.5", "4294967296", "1e10", "1E10", "1e+10"}, ahead[m[0]]...),
			sets(of, []string{date + ".0", date + ".00000000000000000001", date + "." + strings.Repeat("9", 400), date + "e0", date + "0e-1", date + "E+0"}),
			sets(of, quoted(date, " "+date, date+".5", "2099-01-02T15:04:05Z", "0x7fffffff", "never", ""), badDate),
			sets(of, []string{"true", "{}", "[]", "[" + date + "]", `{"$numberLong":"` + date + `"}`, date + strings.Repeat("0", 400), "253402300800", "-253402300800"}, badDate),
			sets(of, []string{"9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551616", "1700000000000", "1e19", "-1e300", "1e400"}, badDate),
			sets(of, []string{"0" + date, "+" + date, date + ".", "0x" + date, "NaN", "Infinity", "1_700_000_000", date + "n", "--1", "1e"}, claimsSyntax))
	}
	return edits
}

// fromNow sets a date that is so many seconds from the time when the token is made.
// A whole number is of whole seconds since 1970, and so up to one second earlier.
func fromNow(name string, seconds []float64, classes ...*class) (edits []edit) {
	for _, s := range seconds {
		edits = append(edits, edit{"claims " + name, fmt.Sprintf("now%+g", s), func(_ string, t *token) string {
			date := float64(t.now.UnixMilli())/1000 + s
			if s == float64(int64(s)) {
				date = float64(int64(date))
			}
			return fmt.Sprintf("%q:%.13g", name, date)
		}, classes})
	}
	return edits
}
