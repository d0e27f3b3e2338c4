package main

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// Whose tokens are good, for everybody who judges.
const (
	team     = "acme"
	issuer   = "https://acme.cloudflareaccess.com"
	audience = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2"
	leeway   = 30 * time.Second
)

// A draft is a token in the making. A mutation changes it at its stage: the
// members, their text, the segments before they are signed, the finished token.
type draft struct {
	keys *keyring
	now  time.Time

	header, claims object
	signing        signing

	headerText, claimsText       string
	headerSegment, claimsSegment string

	token string
	donor string // another token, genuine, to splice with
}

// newDraft returns the draft of a good token, of a person or a service. No two
// are alike.
func newDraft(keys *keyring, now time.Time, r *rand.Rand) *draft {
	d := &draft{keys: keys, now: now, signing: signing{keys.current, rs256}}
	d.header = object{{`"alg"`, `"RS256"`}, {`"kid"`, quote(keys.current.id)}, {`"typ"`, `"JWT"`}}

	issued := now.Unix() - r.Int64N(3600)
	d.claims = object{
		{`"aud"`, `["` + audience + `"]`},
		{`"exp"`, strconv.FormatInt(now.Unix()+60+r.Int64N(86400), 10)},
		{`"iat"`, strconv.FormatInt(issued, 10)},
		{`"iss"`, quote(issuer)},
		{`"type"`, `"app"`},
	}
	if r.IntN(3) == 0 {
		d.claims.set("common_name", quote(fmt.Sprintf("%032x.access", r.Uint64())))
		d.claims.set("sub", `""`)
	} else {
		d.claims.set("email", quote(fmt.Sprintf("%s%d@example.com", pick(r, "ada", "grace", "żółw", "o'brien", "李"), r.IntN(1e6))))
		d.claims.set("nbf", strconv.FormatInt(issued, 10))
		d.claims.set("identity_nonce", quote(strconv.FormatUint(r.Uint64(), 36)))
		d.claims.set("sub", quote(fmt.Sprintf("%016x-%016x", r.Uint64(), r.Uint64())))
		d.claims.set("country", quote(pick(r, "US", "PL", "NZ", "T1")))
	}
	if r.IntN(4) == 0 {
		d.claims.set("custom", fmt.Sprintf(`{"groups":["g%d","ops"],"level":%d,"on":true,"none":null}`, r.IntN(1000), r.IntN(10)))
	}
	return d
}

// render, encode and sign take a draft from one stage to the next.

func (d *draft) render() {
	d.headerText, d.claimsText = d.header.String(), d.claims.String()
}

func (d *draft) encode() {
	d.headerSegment = base64.RawURLEncoding.EncodeToString([]byte(d.headerText))
	d.claimsSegment = base64.RawURLEncoding.EncodeToString([]byte(d.claimsText))
}

func (d *draft) sign() {
	input := d.headerSegment + "." + d.claimsSegment
	signature := d.signing.method(d.keys, d.signing.key, []byte(input))
	d.token = input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// part is a pointer to the text of the header or of the claims, and its name.
func (d *draft) part(r *rand.Rand) (text *string, name string) {
	if r.IntN(3) == 0 {
		return &d.headerText, "header"
	}
	return &d.claimsText, "claims"
}

// segment is a pointer to the segment of the header or of the claims, and its
// name.
func (d *draft) segment(r *rand.Rand) (text *string, name string) {
	if r.IntN(2) == 0 {
		return &d.headerSegment, "header"
	}
	return &d.claimsSegment, "claims"
}

func pick[T any](r *rand.Rand, from ...T) T {
	return from[r.IntN(len(from))]
}
