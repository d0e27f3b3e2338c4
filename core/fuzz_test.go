package core

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// FuzzToken: whatever a stranger sends is refused, with one class of error.
func FuzzToken(f *testing.F) {
	r := newRig(f, quiet)
	good := []string{signUser(), signService()}
	for _, token := range append(good, team.SignUser(otherAudience, "ada@example.com"), signUser(forged), signUser(accesstest.SignedHS256()),
		signUser(accesstest.Unsigned()), signUser(withoutHeader("kid")), signUser(withHeader("crit", []string{"exp"})), madeUp(0),
		"", ".", "..", "...", "a.b.c", good[0]+"\n", good[0]+"=", "e30.e30.", "bnVsbA.bnVsbA.bnVsbA",
	) {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := r.Verify(t.Context(), token)
		wantExplained(t, r, token, err)
		if err == nil {
			if !slices.Contains(good, token) {
				t.Fatalf("accepted, for %v: %q", claims, token)
			}
			return
		}
		wantOneClass(t, err)
	})
}

// wantOneClass fails the test unless err matches exactly one sentinel.
func wantOneClass(t *testing.T, err error) {
	t.Helper()
	for _, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			wantClass(t, err, sentinel)
			return
		}
	}
	t.Errorf("error %q has no class", err)
}

// FuzzSignedToken: of what a team signs, only what the rules allow is accepted.
// The rules are written down here a second time.
func FuzzSignedToken(f *testing.F) {
	const iss, exp = `"iss":"` + testIssuer + `"`, `"exp":4102444800`
	for _, seed := range [][2]string{
		{rawHeader, `{"type":"app","aud":["x"],` + exp + `,` + iss + `,"email":"ada@example.com","sub":"s","country":"US","custom":{"a":[1]}}`},
		{rawHeader, `{"aud":"x","exp":4102444800.5,"iat":1,"nbf":1,` + iss + `,"common_name":"ci","sub":""}`},
		{rawHeader, `{"aud":"x",` + exp + `,` + iss + `,"common_name":"ci","sub":"s"}`},
		{rawHeader, `{"aud":"x",` + exp + `,` + iss + `,"type":null,"email":"ada@example.com"}`},
		{rawHeader, `{"type":"org","aud":["x"],` + exp + `,` + iss + `}`},
		{rawHeader, `{"Type":"app","AUD":["x"],"eXp":4102444800,` + iss + `}`},
		{rawHeader, `{"type":"app","aud":["x"],"aud":["y"],"exp":1e300,"exp":null,` + iss + `}`},
		{rawHeader, `{"type":"app","aud":["x"],` + exp + `,` + iss + `,"custom":{"a":1,"\u0061":2}}`},
		{rawHeader, `{"type":"app","aud":["x"],` + exp + `,` + iss + `,"sub":"` + "\xff" + `"}`},
		{rawHeader, `{"type":"app","aud":["x"],"exp":"4102444800",` + iss + `}`},
		{rawHeader, `{"type":"app","aud":["x"],` + exp + `,` + iss + `,"jti":1,"identity_nonce":[],"country":{},"custom":[]}`},
		{rawHeader, `null`},
		{`{"alg":"RS256","kid":"k","crit":["x"]}`, `{}`},
		{`{"alg":"RS256","kid":"k","kid":null}`, `{}`},
		{`{"alg":"RS256","Kid":"k"}`, `{}`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	r := newRig(f, quiet, func(c *Config) { c.Audiences = []string{"x"} })
	r.endpoint.publish(rawJSONKey())
	f.Fuzz(func(t *testing.T, header, payload []byte) {
		token := signRaw(string(header), string(payload))
		claims, err := r.Verify(t.Context(), token)
		wantExplained(t, r, token, err)
		if err != nil {
			wantOneClass(t, err)
			return
		}
		if err := allowed(header, payload, "x"); err != nil {
			t.Errorf("accepted, though %v: %s %s: %+v", err, header, payload, claims)
		}
	})
}

// allowed says what is wrong with a token that a team signed.
func allowed(header, payload []byte, audience string) error {
	var h, p object
	if err := errors.Join(json.Unmarshal(header, &h), json.Unmarshal(payload, &p)); err != nil {
		return err
	}
	audiences, isArray := p["aud"].([]any)
	if !isArray {
		audiences = []any{p["aud"]}
	}
	_, critical := h["crit"]
	commonName, _ := p["common_name"].(string)
	isAbsent := func(name string) bool { return p[name] == nil || p[name] == "" }
	now := float64(time.Now().Unix())
	for _, date := range []struct {
		name        string
		least, most float64
	}{{"exp", now - 31, math.Inf(1)}, {"nbf", math.Inf(-1), now + 31}, {"iat", math.Inf(-1), now + 31}} {
		seconds, isNumber := p[date.name].(float64)
		if p[date.name] == nil && date.name != "exp" {
			continue
		}
		if !isNumber || seconds < date.least || seconds > date.most || math.Abs(seconds) > 253402300799 {
			return fmt.Errorf("%s is %v", date.name, p[date.name])
		}
	}
	switch {
	case h["alg"] != "RS256" || h["kid"] != "k" || critical:
		return fmt.Errorf("the header is %v", h)
	case p["iss"] != testIssuer:
		return errors.New("the issuer is another")
	case !slices.Contains(audiences, any(audience)):
		return errors.New("the audience is another")
	case p["type"] == nil && (commonName == "" || !isAbsent("email") || !isAbsent("sub")):
		return errors.New("the type is missing, and this is no service token")
	case p["type"] != nil && p["type"] != "app":
		return errors.New("the type is another")
	case !utf8.Valid(payload):
		return errors.New("it is invalid UTF-8")
	default:
		return checkNames(json.NewDecoder(bytes.NewReader(payload)))
	}
}

// checkNames reads a value and returns an error if a name comes twice in an
// object.
func checkNames(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	opening, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	names := map[any]bool{}
	for d.More() {
		if opening == '{' {
			name, err := d.Token()
			if err != nil || names[name] {
				return fmt.Errorf("the name %q comes twice: %v", name, err)
			}
			names[name] = true
		}
		if err := checkNames(d); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// FuzzCerts looks for a document that stops the process, or that lets a key
// through which is not to be trusted.
func FuzzCerts(f *testing.F) {
	good := madeKey("kid", "good")
	for _, table := range []map[string]any{unusableKeys, usableKeys} {
		for _, key := range table {
			f.Add(certsDocument([]any{key}))
			f.Add(certsDocument([]any{key, good, key}))
		}
	}
	for _, test := range notCerts {
		f.Add([]byte(test.body))
	}
	last, err := parseCerts(certsDocument([]any{good}), &keySet{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		for _, last := range []*keySet{{}, last} {
			set, err := parseCerts(document, last)
			if (set == nil) != (err != nil) || set != nil && len(set.keys) == 0 {
				t.Fatalf("got %v with error %v", set, err)
			}
			if err != nil {
				continue
			}
			for id, jwk := range set.keys {
				key := jwk.Key().(*rsa.PublicKey)
				if bits := key.N.BitLen(); id == "" || bits < 2048 || bits > 8192 || key.E < 65537 || key.E%2 == 0 {
					t.Fatalf("kid %q has %d bits and the exponent %d", id, bits, key.E)
				}
			}
			if again, err := parseCerts(document, set); again != set {
				t.Fatalf("the same document gives another set, error %v: cached tokens would be verified again", err)
			}
		}
	})
}

// FuzzCookie: a Cookie header gives at most maxCookies tokens, none of them
// empty, and among them are those that net/http's parser finds.
func FuzzCookie(f *testing.F) {
	for _, line := range []string{
		"", ";", "=", "CF_Authorization", "CF_Authorization=", "CF_Authorization=a", `CF_Authorization="a"`, `CF_Authorization=""`,
		`CF_Authorization="`, "a=b; CF_Authorization=a; c=d", "CF_Authorization = a ;CF_Authorization=b", "CF_Authorization= ;CF_Authorization=b",
		"cf_authorization=a", "XCF_Authorization=a", "a=CF_Authorization=b", "\x00; CF_Authorization=\x00", strings.Repeat("CF_Authorization=a;", 9),
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\r\n") {
			return // no header field has one
		}
		tokens := cookieTokens([]string{line})
		if len(tokens) > maxCookies || slices.Contains(tokens, "") {
			t.Fatalf("got %q", tokens)
		}
		request := http.Request{Header: http.Header{"Cookie": {line}}}
		rest := tokens
		for _, cookie := range request.CookiesNamed(TokenCookie) {
			// net/http keeps the space before a value that isn't in quotes.
			value := strings.Trim(cookie.Value, " \t")
			if value == "" {
				continue
			}
			i := slices.IndexFunc(rest, func(token string) bool { return token == cookie.Value || token == value })
			if i < 0 && len(tokens) < maxCookies {
				t.Fatalf("net/http finds %q, we find %q", cookie.Value, tokens)
			}
			rest = rest[i+1:]
		}
	})
}
