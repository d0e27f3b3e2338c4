package main

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// A rulebook knows whose tokens are good.
type rulebook struct {
	usable   map[string]*rsa.PublicKey // published and fit for Access tokens
	unfit    map[string]*rsa.PublicKey // published
	forRS512 string                    // the key id of the unfit one that is published for RS512
}

func newRulebook(keys *keyring) *rulebook {
	unfit := make(map[string]*rsa.PublicKey)
	for _, k := range []key{keys.weak, keys.smallExponent, keys.encryption, keys.otherAlg} {
		unfit[k.id] = &k.private.PublicKey
	}
	return &rulebook{usable: keys.usable(), unfit: unfit, forRS512: keys.otherAlg.id}
}

// A reading is a token as the rules see it: the rules that it breaks whatever
// the time, and its dates.
type reading struct {
	broken         ruleSet
	header, claims *value
	headerText     string
	claimsText     string
	exp, nbf, iat  date
	wrongTypes     []string // the claims that are of another type
	// The signature isn't genuine. It would be if the header had nothing before
	// or after the object; or it is one by RS512, with the key for that.
	trimmed, rs512 bool
	// smallExponent: the key that it names is published, with exponent 3.
	smallExponent bool
}

// The limits that ours sets, in bytes.
const (
	mostToken  = 8192
	mostHeader = 2048
)

// read judges all that doesn't depend on the time. It goes on after a broken
// rule as far as there is something to read.
func (b *rulebook) read(token string) *reading {
	r := &reading{}
	if len(token) > mostToken {
		r.broken.add(ruleSize)
	}
	if strings.ContainsAny(token, "\r\n") {
		r.broken.add(ruleLineBreak)
	}
	if compact, ok := compactForm(token); ok {
		r.broken.add(ruleForm)
		token = compact
	}
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		r.broken.add(ruleForm)
	}
	if len(segments) > 1 && len(segments[0]) > mostHeader {
		r.broken.add(ruleHeaderSize)
	}
	header, headerOK := r.decode(segments[0], ruleHeaderSpelling)
	if headerOK {
		r.headerText = header
		r.header = r.object(header, ruleHeaderJSON)
	}
	key := b.readHeader(r)
	if len(segments) != 3 {
		return r
	}
	claims, claimsOK := r.decode(segments[1], ruleClaimsSpelling)
	if claimsOK {
		r.claimsText = claims
		r.claims = r.object(claims, ruleClaimsJSON)
	}
	signature, _ := r.decode(segments[2], ruleSignatureSpelling)
	// What is signed is the spelling, or to some verifiers the bytes.
	if key != nil && !genuine(key, segments[0]+"."+segments[1], signature) &&
		!(headerOK && claimsOK && genuine(key, respelled(header, claims), signature)) {
		r.broken.add(ruleSignature)
		r.trimmed = genuine(key, respelled(trimmed(header), claims), signature)
		r.rs512 = r.header.last("kid").text == b.forRS512 && genuineRS512(key, respelled(header, claims), signature)
	}
	if r.claims != nil {
		b.readClaims(r)
	}
	return r
}

// decode returns the bytes of a segment, strictly spelled or not.
func (r *reading) decode(segment string, spelling rule) (decoded string, ok bool) {
	if decoded, ok = decodeSegment(segment); ok {
		return decoded, true
	}
	r.broken.add(spelling)
	return decodeAnySpelling(segment)
}

func (r *reading) object(text string, is rule) *value {
	v, rest, err := parseJSON(text)
	switch {
	case err != nil, v.kind != kindObject && v.kind != kindNull:
		r.broken.add(is)
		return nil
	case v.kind == kindNull:
		r.broken.add(is) // and it has no members
	}
	if rest != "" {
		r.broken.add(ruleTrailing)
	}
	return &v
}

// compactForm returns the compact form of a JWS in JSON (RFC 7515 section 7.2).
func compactForm(token string) (compact string, ok bool) {
	v, _, err := parseJSON(strings.Join(strings.Fields(token), ""))
	if err != nil || v.kind != kindObject {
		return "", false
	}
	one := v
	if list := v.last("signatures"); len(list.items) > 0 {
		one = list.items[0]
	}
	return one.last("protected").text + "." + v.last("payload").text + "." + one.last("signature").text, true
}

func genuine(key *rsa.PublicKey, input, signature string) bool {
	digest := sha256.Sum256([]byte(input))
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], []byte(signature)) == nil
}

func genuineRS512(key *rsa.PublicKey, input, signature string) bool {
	digest := sha512.Sum512([]byte(input))
	return rsa.VerifyPKCS1v15(key, crypto.SHA512, digest[:], []byte(signature)) == nil
}

func respelled(header, claims string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
}

// trimmed returns the JSON value that text begins with, and no white space before
// it.
func trimmed(text string) string {
	var value json.RawMessage
	if json.NewDecoder(strings.NewReader(text)).Decode(&value) != nil {
		return text
	}
	return string(value)
}

// at returns the rules that the token breaks at that time.
func (r *reading) at(now time.Time) ruleSet {
	broken := r.broken
	if !r.exp.given && !r.nbf.given && !r.iat.given {
		return broken
	}
	seconds, most := float64(now.UnixMicro())/1e6, leeway.Seconds()
	if r.exp.given && seconds >= r.exp.seconds+most {
		broken.add(ruleExp)
	}
	if r.nbf.given && r.nbf.seconds > seconds+most {
		broken.add(ruleNbf)
	}
	if r.iat.given && r.iat.seconds > seconds+most {
		broken.add(ruleIat)
	}
	return broken
}
