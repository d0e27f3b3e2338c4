package core

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// The checks of a token, each at its boundaries. The clock stands still at a
// whole second, so that a boundary is exact. Leeway is the default, 30 seconds.
func TestVerifyChecks(t *testing.T) {
	type test struct {
		token func() string // called when the clock stands still
		want  error
	}
	user := func(want error, options ...accesstest.Option) test {
		return test{func() string { return signUser(options...) }, want}
	}
	service := func(want error, options ...accesstest.Option) test {
		return test{func() string { return signService(options...) }, want}
	}
	dated := func(want error, claim string, offset time.Duration) test {
		return test{func() string {
			seconds := float64(time.Now().Add(offset).UnixMilli()) / 1000
			return signUser(withClaim(claim, json.Number(fmt.Sprintf("%.3f", seconds))))
		}, want}
	}
	// asSent is a token of these claims alone, in the audience form of service
	// tokens.
	asSent := func(want error, claims object) test {
		claims["aud"], claims["iat"] = testAudience, 0
		return test{func() string { return team.Sign(claims) }, want}
	}
	const second, leeway, far = time.Second, 30 * time.Second, 4102444800
	number := func(s string) json.Number { return json.Number(s) }

	tests := map[string]test{
		"a person's token":       user(nil),
		"a service token":        service(nil),
		"the previous key":       user(nil, byPreviousKey),
		"unknown claims":         user(nil, withClaim("policy_id", "x"), withClaim("amr", object{}), withClaim("zz", nil)),
		"unknown header fields":  user(nil, withHeader("jku", "https://evil.example/keys"), withHeader("cty", "x"), withoutHeader("typ")),
		"service aud one string": service(nil, withClaim("aud", testAudience)),

		"exp missing":                   user(ErrMalformed, withoutClaim("exp")),
		"exp null":                      user(ErrMalformed, withClaim("exp", nil)),
		"exp past the range of float64": user(ErrMalformed, withClaim("exp", number("1e999"))),
		"exp past all dates":            user(ErrMalformed, withClaim("exp", number("1e300"))),
		"exp in the year 10000":         user(ErrMalformed, withClaim("exp", 253402300800)),
		"exp at the end of 9999":        user(nil, withClaim("exp", 253402300799)),
		"exp before the year -9999":     user(ErrMalformed, withClaim("exp", -253402300800)),
		"exp in the year -6059":         user(ErrExpired, withClaim("exp", -253402300799)),
		"exp 0":                         user(ErrExpired, withClaim("exp", 0)),
		"exp 1 s before now − leeway":   dated(ErrExpired, "exp", -leeway-second),
		"exp 1 ms before now − leeway":  dated(ErrExpired, "exp", -leeway-second/1000),
		"exp at now − leeway":           dated(ErrExpired, "exp", -leeway),
		"exp 1 ms after now − leeway":   dated(nil, "exp", -leeway+second/1000),
		"exp 1 s after now − leeway":    dated(nil, "exp", -leeway+second),

		"iss missing":               user(ErrIssuer, withoutClaim("iss")),
		"iss null":                  user(ErrIssuer, withClaim("iss", nil)),
		"iss empty":                 user(ErrIssuer, withClaim("iss", "")),
		"iss another team":          user(ErrIssuer, withClaim("iss", "https://evil.cloudflareaccess.com")),
		"iss with a trailing slash": user(ErrIssuer, withClaim("iss", testIssuer+"/")),

		"aud missing":                user(ErrAudience, withoutClaim("aud")),
		"aud null":                   user(ErrAudience, withClaim("aud", nil)),
		"aud one string":             user(nil, withClaim("aud", testAudience)),
		"aud several, ours last":     user(nil, withClaim("aud", []string{otherAudience, testAudience})),
		"aud another application":    user(ErrAudience, withClaim("aud", []string{otherAudience})),
		"aud an empty array":         user(ErrAudience, withClaim("aud", []string{})),
		"aud an empty string":        user(ErrAudience, withClaim("aud", "")),
		"aud an array with a number": user(ErrMalformed, withClaim("aud", []any{testAudience, 7})),
		"aud a prefix of ours":       user(ErrAudience, withClaim("aud", testAudience[:63])),
		"aud ours with more behind":  user(ErrAudience, withClaim("aud", testAudience+"0")),
		"aud in upper case":          user(ErrAudience, withClaim("aud", strings.ToUpper(testAudience))),

		"type missing, a person":                 user(ErrTokenType, withoutClaim("type")),
		"type null, a person":                    user(ErrTokenType, withClaim("type", nil)),
		"type missing, a service token":          service(nil, withoutClaim("type")),
		"type missing, a service token's no sub": service(nil, withoutClaim("type"), withoutClaim("sub")),
		"type missing, common_name and sub":      service(ErrTokenType, withoutClaim("type"), withClaim("sub", "x")),
		"type missing, common_name and email":    service(ErrTokenType, withoutClaim("type"), withClaim("email", "x@y")),
		"type missing, common_name empty":        service(ErrTokenType, withoutClaim("type"), withClaim("common_name", "")),
		"type empty, a service token":            service(ErrTokenType, withClaim("type", "")),
		"type org":                               user(ErrTokenType, withClaim("type", "org")),
		"type in upper case":                     user(ErrTokenType, withClaim("type", "APP")),

		// Strangers can have these signed with the team's keys.
		"match, as it is sent":        asSent(ErrIssuer, object{"type": "match", "hostname": "wiki.example.com"}),
		"match, with iss and exp":     asSent(ErrTokenType, object{"type": "match", "iss": testIssuer, "exp": far}),
		"meta, as it is sent":         asSent(ErrIssuer, object{"type": "meta", "exp": far, "hostname": "wiki.example.com"}),
		"meta, with iss":              asSent(ErrTokenType, object{"type": "meta", "iss": testIssuer, "exp": far}),
		"meta, with iss, no type":     asSent(ErrTokenType, object{"iss": testIssuer, "exp": far, "hostname": "wiki.example.com"}),
		"External Evaluation request": asSent(ErrTokenType, object{"iss": testIssuer, "exp": far, "identity": object{"email": "eve@example.com"}}),

		"sub missing": user(nil, withoutClaim("sub")),

		"no claims":                 {func() string { return team.Sign(object{}) }, ErrIssuer},
		"iss before type":           user(ErrIssuer, withClaim("iss", "x"), withClaim("type", "org")),
		"aud before exp":            user(ErrAudience, withClaim("exp", 0), withClaim("aud", otherAudience)),
		"type before exp":           user(ErrTokenType, withClaim("exp", 0), withClaim("type", "org")),
		"expired and not yet valid": user(ErrExpired, withClaim("exp", 0), withClaim("nbf", far)),

		"kid missing":            user(ErrMalformed, withoutHeader("kid")),
		"kid null":               user(ErrMalformed, withHeader("kid", nil)),
		"kid empty":              user(ErrMalformed, withHeader("kid", "")),
		"kid a number":           user(ErrMalformed, withHeader("kid", 1)),
		"kid under another case": user(ErrMalformed, withoutHeader("kid"), withHeader("Kid", team.KeyID())),
		"kid in upper case":      user(ErrUnknownKey, withHeader("kid", strings.ToUpper(team.KeyID()))),
		"kid unknown":            user(ErrUnknownKey, withHeader("kid", strings.Repeat("0", 64))),
		"kid of the other key":   user(ErrSignature, byPreviousKey, withHeader("kid", team.KeyID())),
		"crit with an extension": user(ErrMalformed, withHeader("crit", []string{"exp"}), withHeader("exp", 1)),
		"crit empty":             user(ErrMalformed, withHeader("crit", []string{})),
		"crit null":              user(ErrMalformed, withHeader("crit", nil)),
		"alg none":               user(ErrSignature, accesstest.Unsigned()),
		"alg none in other case": user(ErrSignature, accesstest.Unsigned(), withHeader("alg", "nOnE")),
		"alg HS256, public key":  user(ErrSignature, accesstest.SignedHS256()),
		"alg RS256, but HS256":   user(ErrSignature, accesstest.SignedHS256(), withHeader("alg", "RS256")),
		"alg RS384":              user(ErrSignature, withHeader("alg", "RS384")),
		"alg PS256":              user(ErrSignature, withHeader("alg", "PS256")),
		"alg in lower case":      user(ErrSignature, withHeader("alg", "rs256")),
		"alg missing":            user(ErrMalformed, withoutHeader("alg")),
		"alg under another case": user(ErrMalformed, withoutHeader("alg"), withHeader("Alg", "RS256")),
		"alg a number":           user(ErrMalformed, withHeader("alg", 256)),
		"another's signature":    user(ErrSignature, forged),
	}
	for _, name := range []string{"nbf", "iat"} {
		tests[name+" missing"] = user(nil, withoutClaim(name))
		tests[name+" null"] = user(nil, withClaim(name, nil))
		tests[name+" past all dates"] = user(ErrMalformed, withClaim(name, number("1e300")))
		tests[name+" before all dates"] = user(ErrMalformed, withClaim(name, number("-1e300")))
		tests[name+" in the year 10000"] = user(ErrMalformed, withClaim(name, 253402300800))
		tests[name+" 1 s before now + leeway"] = dated(nil, name, leeway-second)
		tests[name+" at now + leeway"] = dated(nil, name, leeway)
		tests[name+" 1 ms after now + leeway"] = dated(ErrNotYetValid, name, leeway+second/1000)
		tests[name+" 1 s after now + leeway"] = dated(ErrNotYetValid, name, leeway+second)
	}
	// A claim that a decision rests on has its type.
	for name, values := range map[string][]any{
		"exp": {"4102444800", true, object{}, []int{far}}, "nbf": {"0", true, object{}}, "iat": {"0", true, object{}},
		"iss": {1, []string{testIssuer}}, "aud": {7, object{"0": testAudience}}, "type": {1, []string{"app"}}, "email": {1, []string{"ada@example.com"}}, "sub": {1, object{}},
		"common_name": {1, object{}},
	} {
		for _, value := range values {
			tests[fmt.Sprintf("%s a %T", name, value)] = user(ErrMalformed, withClaim(name, value))
		}
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "type", "email", "common_name", "identity_nonce", "country", "custom"} {
		// Names of claims are compared exactly (RFC 7519 section 4). The value has
		// the wrong type, so that it would be noticed.
		for _, spelled := range []string{strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
			tests[name+" is not "+spelled] = user(nil, withClaim(spelled, []object{{"not": "this"}}))
		}
	}
	for name, test := range tests {
		bubble(t, name, func(t *testing.T, r *rig) {
			token := test.token()
			for range 2 { // the second time perhaps from the cache
				claims, err := r.Verify(t.Context(), token)
				wantClass(t, err, test.want)
				if (claims == nil) != (err != nil) {
					t.Fatalf("claims %v with error %v", claims, err)
				}
				wantExplained(t, r, token, err)
			}
		})
	}
}

// What is JSON, but doesn't say one thing to everybody who reads it, is refused.
func TestVerifyAmbiguousJSON(t *testing.T) {
	r := newRig(t)
	r.endpoint.publish(rawJSONKey())
	const good = `"iss":"` + testIssuer + `","aud":"` + testAudience + `","type":"app","exp":4102444800,"email":"ada@example.com"`
	for name, test := range map[string]struct {
		header, payload string
		want            error
	}{
		"nothing wrong":                    {rawHeader, `{` + good + `}`, nil},
		"space around":                     {rawHeader, " {\n" + good + "\t} ", nil},
		"a name twice":                     {rawHeader, `{` + good + `,"email":"root@example.com"}`, ErrMalformed},
		"a name twice, the same value":     {rawHeader, `{` + good + `,"type":"app"}`, ErrMalformed},
		"a name twice, null":               {rawHeader, `{"exp":null,` + good + `}`, ErrMalformed},
		"a name twice, escaped":            {rawHeader, `{` + good + `,"\u0065mail":"root@example.com"}`, ErrMalformed},
		"an unknown name twice":            {rawHeader, `{` + good + `,"a":1,"a":1}`, ErrMalformed},
		"a name twice in custom":           {rawHeader, `{` + good + `,"custom":{"a":1,"a":2}}`, ErrMalformed},
		"a name twice deep in custom":      {rawHeader, `{` + good + `,"custom":{"a":[{"b":1,"b":2}]}}`, ErrMalformed},
		"a name twice in an unknown claim": {rawHeader, `{` + good + `,"x":{"a":1,"a":2}}`, ErrMalformed},
		"invalid UTF-8 in a claim":         {rawHeader, `{` + good + `,"sub":"` + "\xff" + `"}`, ErrMalformed},
		"invalid UTF-8 in a name":          {rawHeader, `{` + good + `,"` + "\xff" + `":1}`, ErrMalformed},
		"invalid UTF-8 in custom":          {rawHeader, `{` + good + `,"custom":{"a":"` + "\xc3" + `"}}`, ErrMalformed},
		"half a surrogate pair":            {rawHeader, `{` + good + `,"sub":"\ud800"}`, ErrMalformed},
		"two values":                       {rawHeader, `{` + good + `}{}`, ErrMalformed},
		"null":                             {rawHeader, `null`, ErrMalformed},
		"nothing":                          {rawHeader, ``, ErrMalformed},
		// Of a header name that comes twice the last one counts: that is the key
		// and the algorithm by which the token is verified.
		"kid twice, the last is published":  {`{"alg":"RS256","kid":"x","kid":"k"}`, `{` + good + `}`, nil},
		"kid twice, the first is published": {`{"alg":"RS256","kid":"k","kid":"x"}`, `{` + good + `}`, ErrUnknownKey},
		"kid twice, the last is null":       {`{"alg":"RS256","kid":"k","kid":null}`, `{` + good + `}`, ErrMalformed},
		"alg twice, the last is none":       {`{"alg":"RS256","alg":"none","kid":"k"}`, `{` + good + `}`, ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.Verify(t.Context(), signRaw(test.header, test.payload))
			wantClass(t, err, test.want)
		})
	}
}

// One token has one spelling: none of these is the token, though each means it.
func TestVerifySpelling(t *testing.T) {
	// With a field more, the header's last character has bits to spare.
	token := signUser(withHeader("x", "xx"))
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	encode := func(s string) string { return encodeSegment([]byte(s)) }
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	// slack changes bits of the last character that stand for no byte.
	slack := func(segment string, bits int) string {
		last := len(segment) - 1
		return segment[:last] + string(alphabet[strings.IndexByte(alphabet, segment[last])^bits])
	}

	tests := map[string]struct {
		token string
		want  error
	}{
		"empty":                       {"", ErrNoToken},
		"one segment":                 {header, ErrMalformed},
		"two segments":                {join(header, payload), ErrMalformed},
		"four segments":               {token + ".", ErrMalformed},
		"five segments, a JWE":        {join(header, payload, signature, "", ""), ErrMalformed},
		"no header":                   {join("", payload, signature), ErrMalformed},
		"no payload":                  {join(header, "", signature), ErrMalformed},
		"no signature":                {join(header, payload, ""), ErrSignature},
		"padded":                      {token + "==", ErrMalformed},
		"padded header":               {join(header+"=", payload, signature), ErrMalformed},
		"a line break behind":         {token + "\n", ErrMalformed},
		"a line break inside":         {token[:300] + "\r\n" + token[300:], ErrMalformed},
		"a line break in the header":  {token[:20] + "\n" + token[20:], ErrMalformed},
		"a space before":              {" " + token, ErrMalformed},
		"a space behind":              {token + " ", ErrMalformed},
		"a scheme before":             {"Bearer " + token, ErrMalformed},
		"a NUL behind":                {token + "\x00", ErrMalformed},
		"the other base64 alphabet":   {join(header, payload, "+/"+signature[2:]), ErrMalformed},
		"slack bits of the header":    {join(slack(header, 1), payload, signature), ErrMalformed},
		"header not JSON":             {join(encode("{"), payload, signature), ErrMalformed},
		"header an array":             {join(encode("[]"), payload, signature), ErrMalformed},
		"header null":                 {join(encode("null"), payload, signature), ErrMalformed},
		"payload not JSON":            {join(header, encode("{"), signature), ErrMalformed},
		"payload null":                {join(header, encode("null"), signature), ErrSignature},
		"payload not base64":          {join(header, "*", signature), ErrMalformed},
		"signature not base64":        {join(header, payload, "*"), ErrMalformed},
		"signature a byte short":      {join(header, payload, signature[:340]), ErrSignature},
		"signature with a byte added": {join(header, payload, signature[:341]+"QQ"), ErrSignature},
	}
	for bits := 1; bits < 16; bits++ {
		tests[fmt.Sprintf("slack bits %d of the signature", bits)] = struct {
			token string
			want  error
		}{join(header, payload, slack(signature, bits)), ErrMalformed}
	}
	if len(header)%4 == 0 {
		t.Fatal("the header has no bits to spare")
	}
	r := newRig(t)
	verified(t, r, token)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := r.Verify(t.Context(), test.token)
			wantClass(t, err, test.want)
		})
	}
}

// Every byte of a token counts.
func TestVerifyTamperedByte(t *testing.T) {
	r := newRig(t)
	token := signUser()
	verified(t, r, token)
	for i := range token {
		other := "A"
		if token[i] == 'A' {
			other = "B"
		}
		if _, err := r.Verify(t.Context(), token[:i]+other+token[i+1:]); err == nil {
			t.Errorf("byte %d may be anything", i)
		}
	}
}

// A token over 8 KiB, and a header over 512 bytes, are refused before anything
// is decoded.
func TestVerifySize(t *testing.T) {
	// token returns one whose segments have these sizes.
	token := func(header, payload, signature int) string {
		padded := func(size int, json string) string {
			json = strings.Replace(json, "?", strings.Repeat("x", base64.RawURLEncoding.DecodedLen(size)-len(json)+1), 1)
			return encodeSegment([]byte(json))
		}
		return padded(header, `{"alg":"RS256","kid":"`+team.KeyID()+`","x":"?"}`) + "." + padded(payload, `{"x":"?"}`) + "." + strings.Repeat("A", signature)
	}
	for name, test := range map[string]struct {
		token string
		want  error
		text  string // of the error
	}{
		"a genuine token near 8 KiB":  {signUser(withClaim("custom", object{"x": strings.Repeat("x", 5250)})), nil, ""},
		"a token of 8 KiB":            {token(160, 7680, 350), ErrSignature, ""},
		"a token over 8 KiB":          {token(160, 7680, 351), ErrMalformed, "8193 bytes"},
		"a token of 64 MiB":           {strings.Repeat("A", 64<<20), ErrMalformed, "67108864 bytes"},
		"a header of 512 bytes":       {token(512, 12, 4), ErrSignature, ""},
		"a header over 512 bytes":     {token(514, 12, 4), ErrMalformed, "header segment of 514 bytes"},
		"a genuine, but large header": {signUser(withHeader("x", strings.Repeat("x", 512))), ErrMalformed, "header segment of"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			_, err := r.Verify(t.Context(), test.token)
			wantClass(t, err, test.want)
			if test.text != "" {
				wantText(t, err, test.text)
				if n := len(r.endpoint.requests()); n != 0 {
					t.Errorf("%d fetches", n)
				}
			}
		})
	}
}

func TestLeewayNone(t *testing.T) {
	bubble(t, "", func(t *testing.T, r *rig) {
		for offset, want := range map[time.Duration]error{-time.Second: ErrExpired, 0: ErrExpired, time.Second: nil} {
			_, err := r.Verify(t.Context(), signUser(withExpiry(time.Now().Add(offset))))
			wantClass(t, err, want)
		}
	}, func(c *Config) { c.Leeway = -1 })
}

// RS256 by name, although the team could sign with others: the document of its
// keys may leave alg out.
func TestVerifyOtherAlgorithms(t *testing.T) {
	r := newRig(t)
	r.endpoint.publish(rawJSONKey())
	for method, want := range map[jwt.SigningMethod]error{
		jwt.SigningMethodRS256: nil, jwt.SigningMethodRS384: ErrSignature, jwt.SigningMethodRS512: ErrSignature, jwt.SigningMethodPS256: ErrSignature,
	} {
		t.Run(method.Alg(), func(t *testing.T) {
			token := jwt.NewWithClaims(method, jwt.MapClaims{"iss": testIssuer, "aud": testAudience, "type": "app", "exp": 4102444800})
			token.Header["kid"] = "k"
			text, err := token.SignedString(rawKey())
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Verify(t.Context(), text)
			wantClass(t, err, want)
		})
	}
}

// Claims that decide nothing about a token don't refuse it.
func TestClaimsOfAnotherTypeAreZero(t *testing.T) {
	r := newRig(t)
	for name, values := range map[string][]any{
		"jti":            {1, true, nil, []any{}, object{}},
		"identity_nonce": {1, true, nil, []any{"x"}, object{}},
		"country":        {49, true, nil, []any{"DE"}, object{}},
		"custom":         {1, "x", true, nil, []any{object{"groups": "x"}}},
	} {
		for _, value := range values {
			t.Run(fmt.Sprintf("%s %v", name, value), func(t *testing.T) {
				c := verified(t, r, signUser(withClaim(name, value)))
				for of, isZero := range map[string]bool{
					"jti": c.ID == "", "identity_nonce": c.IdentityNonce == "", "country": c.Country == "", "custom": c.Custom == nil,
				} {
					if want := of == name || of == "jti" || of == "custom"; isZero != want {
						t.Errorf("%s is zero: %v, want %v", of, isZero, want)
					}
				}
			})
		}
	}
}

// The operator reads what came and what was wanted, once the signature is good.
func TestErrorsSayBothSides(t *testing.T) {
	const other = "https://other.cloudflareaccess.com"
	in := func(d time.Duration) int64 { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(d).Unix() } // when bubbles begin
	for name, test := range map[string]struct {
		option accesstest.Option
		texts  []string
	}{
		"wrong audience": {withClaim("aud", []string{otherAudience}), []string{otherAudience, testAudience}},
		"no audience":    {withoutClaim("aud"), []string{"aud is []", testAudience}},
		"wrong issuer":   {withClaim("iss", other), []string{other, testIssuer}},
		"wrong type":     {withClaim("type", "org"), []string{`"org"`, `"app"`}},
		"no type":        {withoutClaim("type"), []string{"type is missing"}},
		"exp missing":    {withoutClaim("exp"), []string{"exp is missing"}},
		"expired":        {withClaim("exp", in(-90*time.Minute)), []string{"exp was 1h30m0s ago", "leeway 30s"}},
		"iat ahead":      {withClaim("iat", in(45*time.Second)), []string{"iat is 45s ahead of this clock", "leeway 30s"}},
		"nbf ahead":      {withClaim("nbf", in(time.Minute)), []string{"nbf is 1m0s ahead of this clock", "leeway 30s"}},
	} {
		bubble(t, name, func(t *testing.T, r *rig) {
			_, err := r.Verify(t.Context(), signUser(test.option))
			wantText(t, err, test.texts...)
		})
	}
	// The same from the cache.
	bubble(t, "expired, cached", func(t *testing.T, r *rig) {
		token := signUser(withExpiry(time.Now().Add(time.Minute)))
		verified(t, r, token)
		time.Sleep(2 * time.Minute)
		_, err := r.Verify(t.Context(), token)
		wantText(t, err, "exp was 1m0s ago", "leeway 30s")
	})
}

// What a stranger sends reaches a log in part at most: a token, even a refused
// one, may be a credential.
func TestNoTokenInALogOrAnError(t *testing.T) {
	r := newRig(t)
	for name, token := range map[string]string{
		"expired":       signUser(withExpiry(time.Now().Add(-time.Hour))),
		"forged":        signUser(forged),
		"a long kid":    signUser(withHeader("kid", strings.Repeat("k", 300))),
		"a long alg":    signUser(withHeader("alg", strings.Repeat("a", 300))),
		"a long type":   signUser(withClaim("type", strings.Repeat("t", 4000))),
		"a long issuer": signUser(withClaim("iss", strings.Repeat("i", 4000))),
		"long audience": signUser(withClaim("aud", strings.Repeat("a", 4000))),
		"foreign":       signUser(withHeader("kid", "x"), withClaim("iss", strings.Repeat("i", 4000))),
		"not a token":   signUser() + "*",
	} {
		t.Run(name, func(t *testing.T) {
			r.logged()
			_, err := r.Verify(t.Context(), token)
			if err == nil {
				t.Fatal("accepted")
			}
			log := r.logged()
			for where, text := range map[string]string{"error": err.Error(), "log": log} {
				for segment := range strings.SplitSeq(token, ".") {
					if strings.Contains(text, segment[:30]) {
						t.Errorf("the %s has a part of the token: %s", where, text)
					}
				}
				if len(text) > 500 {
					t.Errorf("the %s has %d bytes, of a stranger's choice", where, len(text))
				}
			}
			if strings.Count(log, "level=DEBUG") != 1 || strings.Count(log, "\n") != 1 {
				t.Errorf("logged %q, want one line at DEBUG", log)
			}
		})
	}
}

// Tokens arrive in buffers that frameworks use again.
func TestVerifyDoesNotKeepTheCallersMemory(t *testing.T) {
	r := newRig(t)
	token := signUser()
	buffer := []byte(token)
	aliased := unsafe.String(&buffer[0], len(buffer))
	claims := verified(t, r, aliased)
	copy(buffer, signUser(forged))

	if claims.Token() != token || claims.Email != "ada@example.com" {
		t.Error("the claims changed with the buffer")
	}
	_, err := r.Verify(t.Context(), aliased)
	wantClass(t, err, ErrSignature)
	if again := verified(t, r, token); again != claims {
		t.Error("the good token isn't cached any more")
	}
}

// While a request waits for keys, its handler may have given up, as behind
// fiber's timeout middleware, and the memory of its token be another request's. A
// forged payload must not be verified by what is there afterwards.
func TestVerifyWhileTheCallersMemoryIsReused(t *testing.T) {
	bubble(t, "during the first fetch", func(t *testing.T, r *rig) {
		r.endpoint.slow(time.Second)
		own := signUser()
		parts := strings.Split(own, ".")
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		forged := strings.Replace(string(payload), "ada@example.com", "eve@example.com", 1)
		buffer := []byte(parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(forged)) + "." + parts[2])
		aliased := unsafe.String(&buffer[0], len(buffer))
		var waiting sync.WaitGroup
		waiting.Go(func() {
			_, err := r.Verify(t.Context(), aliased)
			wantClass(t, err, ErrSignature)
		})
		time.Sleep(time.Second / 2)
		copy(buffer, own)
		waiting.Wait()
		if claims := verified(t, r, own); claims.Email != "ada@example.com" {
			t.Errorf("ada's token is cached for %s", claims.Email)
		}
	})
}

// A request is decided by the time after it waited for keys.
func TestTokenExpiresWhileItsRequestWaits(t *testing.T) {
	const wait = 3 * time.Second
	// A token that is good for a second more.
	expiring := func() string { return signUser(withExpiry(time.Now().Add(time.Second - 30*time.Second))) }
	bubble(t, "for the first keys", func(t *testing.T, r *rig) {
		r.endpoint.slow(wait)
		_, err := r.Verify(t.Context(), expiring())
		wantClass(t, err, ErrExpired)
	})
	bubble(t, "after idling, cached", func(t *testing.T, r *rig) {
		token := signUser(withExpiry(time.Now().Add(2*time.Hour + time.Second - 30*time.Second)))
		verified(t, r, token)
		time.Sleep(2 * time.Hour)
		r.endpoint.slow(wait)
		_, err := r.Verify(t.Context(), token)
		wantClass(t, err, ErrExpired)
		if !r.cached() {
			t.Error("the token wasn't cached, so this tests nothing")
		}
	})
	bubble(t, "for a cookie before it", func(t *testing.T, r *rig) {
		token := expiring()
		verified(t, r, token)
		time.Sleep(time.Millisecond) // the fetch began before the next request
		r.endpoint.slow(wait)
		_, err := r.Authenticate(t.Context(), inCookies(madeUp(0), token))
		wantClass(t, err, ErrUnknownKey) // the first one's
	})
	bubble(t, "not: it is good until then", func(t *testing.T, r *rig) {
		r.endpoint.slow(wait)
		if _, err := r.Verify(t.Context(), signUser(withExpiry(time.Now().Add(wait+time.Second-30*time.Second)))); err != nil {
			t.Error(err)
		}
	})
}
