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
	r.exp, r.nbf, r.iat = b.date(r, "exp"), b.date(r, "nbf"), b.date(r, "iat")
	if !r.exp.given {
		r.broken.add(ruleExpGiven)
	}
	if b.text(r, "iss") != issuer {
		r.broken.add(ruleIssuer)
	}
	if t := b.text(r, "type"); t != "app" && t != "" {
		r.broken.add(ruleType)
	}
	if !slices.Contains(b.audiences(r), audience) {
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
func (b *rulebook) text(r *reading, name string) string {
	v := r.claims.last(name)
	if b.nullKeeps {
		v = lastButNull(r.claims.all(name))
	}
	return v.text
}

// audiences are the names in aud, a string or a list (RFC 7519 section 4.1.3).
func (b *rulebook) audiences(r *reading) []string {
	var names []string
	for _, v := range r.claims.all("aud") {
		before := names
		names = nil
		if v.kind == kindString {
			names = []string{v.text}
		}
		for i, item := range v.items {
			name := item.text
			if b.nullKeeps && item.kind == kindNull && i < len(before) {
				name = before[i]
			}
			names = append(names, name)
		}
	}
	return names
}

// date is the date that a claim is, in seconds since 1970 as a JSON number (RFC
// 7519 section 2), up to the year 9999.
func (b *rulebook) date(r *reading, name string) date {
	var d date
	for _, v := range r.claims.all(name) {
		if v.kind == kindNull {
			if !b.nullKeeps {
				d = date{}
			}
			continue
		}
		d = date{}
		seconds, err := strconv.ParseFloat(v.text, 64)
		if v.kind != kindNumber || err != nil || math.Abs(seconds) > latest {
			r.broken.add(ruleDate)
			continue
		}
		d = date{seconds, true}
	}
	return d
}
