package main

import (
	"math"
	"slices"
	"strconv"
)

// A date is in seconds since 1970, if it is there.
type date struct {
	seconds float64
	given   bool
}

// latest is the last second of the year 9999.
const latest = 253402300799

// readClaims judges the claims but for the time.
func (b *rulebook) readClaims(r *reading) {
	for _, name := range []string{"iss", "sub", "jti", "type", "email", "common_name", "identity_nonce", "country"} {
		r.ofKind(name, kindString)
	}
	r.ofKind("custom", kindObject)
	for _, v := range r.claims.all("custom") {
		if v.overflows() {
			r.broken.add(ruleRange)
		}
	}
	r.ofKind("aud", kindString, kindArray)
	for _, v := range r.claims.all("aud") {
		for _, item := range v.items {
			if item.kind != kindString && item.kind != kindNull {
				r.wrongType("aud")
			}
		}
	}
	r.exp, r.nbf, r.iat = r.date("exp"), r.date("nbf"), r.date("iat")
	if !r.exp.given {
		r.broken.add(ruleExpGiven)
	}
	if r.text("iss") != issuer {
		r.broken.add(ruleIssuer)
	}
	if t := r.claims.last("type"); t.kind != kindNull && t.text != "app" {
		r.broken.add(ruleType)
	}
	if !slices.Contains(r.audiences(), audience) {
		r.broken.add(ruleAudience)
	}
}

// ofKind wants every member of that name to be of one of the kinds, or null.
func (r *reading) ofKind(name string, kinds ...byte) {
	for _, v := range r.claims.all(name) {
		if v.kind != kindNull && !slices.Contains(kinds, v.kind) {
			r.wrongType(name)
		}
	}
}

func (r *reading) wrongType(name string) {
	r.broken.add(ruleClaimType)
	r.wrongTypes = append(r.wrongTypes, name)
}

// text is the string that a claim is, or "".
func (r *reading) text(name string) string { return r.claims.last(name).text }

// audiences are the names in aud, a string or a list (RFC 7519 section 4.1.3).
func (r *reading) audiences() []string {
	v := r.claims.last("aud")
	if v.kind == kindString {
		return []string{v.text}
	}
	var names []string
	for _, item := range v.items {
		names = append(names, item.text)
	}
	return names
}

// date is the date that a claim is, in seconds since 1970 as a JSON number (RFC
// 7519 section 2), up to the year 9999.
func (r *reading) date(name string) date {
	var d date
	for _, v := range r.claims.all(name) {
		d = date{}
		if v.kind == kindNull {
			continue
		}
		seconds, err := strconv.ParseFloat(v.text, 64)
		if v.kind != kindNumber || err != nil || math.Abs(seconds) > latest {
			r.broken.add(ruleDate)
			continue
		}
		d = date{seconds, true}
	}
	return d
}
