package main

import (
	"slices"
	"strings"
)

// oursStricter are the rules that a peer doesn't have, or reads otherwise.
var oursStricter = slices.Concat(
	onBoth(class{name: "over 8 KiB", rules: setOf(ruleSize),
		why: "what nobody vouches for yet is bounded before it is decoded"}),
	onBoth(class{name: "header over 2 KiB", rules: setOf(ruleHeaderSize),
		why: "what nobody vouches for yet is bounded before it is decoded"}),
	onBoth(class{name: "line break", rules: setOf(ruleLineBreak),
		why: "one spelling for each token; encoding/base64 skips line breaks"}),
	onBoth(class{name: "other spelling of the signature", rules: setOf(ruleSignatureSpelling),
		why: "one spelling for each token: RFC 7515 section 2, RFC 4648 section 3.5"}),
	onBoth(class{name: "other spelling of header or claims", rules: setOf(ruleHeaderSpelling, ruleClaimsSpelling),
		why: "one spelling for each token: RFC 7515 section 2, RFC 4648 section 3.5"}),
	onBoth(class{name: "type other than app", rules: setOf(ruleType),
		why: "an org token is not meant for an origin; the peers don't know Access's types"}),
	[]class{
		{name: "crit empty, null or b64", peer: nameOIDC, rules: setOf(ruleCrit),
			when: func(o *outcome, _ string) bool {
				crit := o.reading.header.last("crit")
				return isNull(crit) || crit.kind == kindArray && !slices.ContainsFunc(crit.items, func(v value) bool { return v.text != "b64" })
			},
			why: "RFC 7515 section 4.1.11: not empty; ours understands no extension"},
		{name: "crit", peer: nameJWX, rules: setOf(ruleCrit),
			why: "RFC 7515 section 4.1.11; jwx wants jws.WithCritValidation for it"},
		{name: "no kid", peer: nameOIDC, rules: setOf(ruleKid),
			when: func(o *outcome, _ string) bool { return o.reading.header.last("kid").text == "" },
			why:  "it tries every key; Access names the key, and the order means nothing"},
		{name: "alg not looked at", peer: nameJWX, rules: setOf(ruleAlg, ruleAlgGiven),
			when: func(o *outcome, _ string) bool { return !o.broken.has(ruleSignature) || o.reading.trimmed },
			why:  "it goes by the algorithm of the key; RFC 7515 section 5.2 wants that of the header too"},
		{name: "key not fit for Access", peer: nameOIDC, rules: setOf(ruleUsable),
			why: "1024 bits, exponent 3, use enc, alg RS512: it looks at none of these"},
		{name: "key with exponent 3", peer: nameJWX, rules: setOf(ruleUsable),
			when: func(o *outcome, _ string) bool { return o.reading.smallExponent },
			why:  "RFC 8017 section 8.2.2, note 2: a small exponent invites forgeries"},
		{name: "RS512", peer: nameJWX, rules: setOf(ruleAlg, ruleUsable, ruleSignature),
			when: func(o *outcome, _ string) bool { return o.reading.rs512 },
			why:  "it takes a key published for RS512; Access signs with RS256"},
		{name: "white space or data around the header", peer: nameJWX, rules: setOf(ruleSignature),
			when: func(o *outcome, _ string) bool { return o.reading.trimmed },
			why:  "it verifies the header without it, so that anything may come after it"},
		{name: "JWS in JSON", peer: nameOIDC, rules: setOf(ruleForm),
			when: func(o *outcome, _ string) bool { return strings.HasPrefix(strings.TrimSpace(o.token), "{") },
			why:  "RFC 7519 section 1: a JWT is in the compact form"},
		{name: "data after the JSON", peer: nameJWX, rules: setOf(ruleTrailing),
			why: "RFC 7519 section 7.2: the claims are one JSON object"},
		{name: "number beyond float64 in custom", peer: nameOIDC, rules: setOf(ruleRange),
			when: func(o *outcome, _ string) bool { return !o.reading.header.overflows() },
			why:  "RFC 8259 section 6: a limit of the reader's; it doesn't read custom"},
		{name: "other type of an Access claim", peer: nameOIDC, rules: setOf(ruleClaimType),
			when: func(o *outcome, _ string) bool {
				return o.onlyWrong("jti", "type", "email", "common_name", "identity_nonce", "country", "custom")
			},
			why: "it doesn't read these claims"},
		{name: "other type of an Access claim", peer: nameJWX, rules: setOf(ruleClaimType),
			when: func(o *outcome, _ string) bool {
				return o.onlyWrong("type", "email", "common_name", "identity_nonce", "country", "custom")
			},
			why: "it doesn't read these claims"},
		{name: "iat in the future", peer: nameOIDC, rules: setOf(ruleIat),
			why: "it doesn't look at iat"},
		{name: "nbf within five minutes", peer: nameOIDC, rules: setOf(ruleNbf),
			when: func(o *outcome, _ string) bool {
				return o.reading.nbf.seconds-float64(o.at.Unix()) <= 5*60-leeway.Seconds()+2
			},
			why: "its leeway for nbf is five minutes, less what its clock is late here"},
		{name: "null after a value", peer: nameOIDC, rules: setOf(ruleIssuer),
			when: func(o *outcome, _ string) bool { return nullAgain(o.reading.claims, "iss") },
			why:  "of a repeated claim the last counts (RFC 7519 section 4); encoding/json keeps the one before"},
		{name: "null after a value", peer: nameOIDC, rules: setOf(ruleNbf),
			when: func(o *outcome, _ string) bool { return nullAgain(o.reading.claims, "nbf") },
			why:  "of a repeated claim the last counts (RFC 7519 section 4); encoding/json keeps the one before"},
		{name: "claim in another case", peer: nameOIDC, rules: setOf(ruleIssuer),
			when: func(o *outcome, _ string) bool { return folds(o.reading.claims, "iss") },
			why:  "RFC 7519 section 4 compares names exactly; encoding/json doesn't"},
		{name: "claim in another case", peer: nameOIDC, rules: setOf(ruleAudience),
			when: func(o *outcome, _ string) bool { return folds(o.reading.claims, "aud") },
			why:  "RFC 7519 section 4 compares names exactly; encoding/json doesn't"},
		{name: "claim in another case", peer: nameOIDC, rules: setOf(ruleExpGiven, ruleExp),
			when: func(o *outcome, _ string) bool { return folds(o.reading.claims, "exp") },
			why:  "RFC 7519 section 4 compares names exactly; encoding/json doesn't"},
		{name: "claim in another case", peer: nameOIDC, rules: setOf(ruleNbf),
			when: func(o *outcome, _ string) bool { return folds(o.reading.claims, "nbf") },
			why:  "RFC 7519 section 4 compares names exactly; encoding/json doesn't"},
		{name: "date in a string, or after 9999", peer: nameOIDC, rules: setOf(ruleDate, ruleExpGiven),
			when: func(o *outcome, _ string) bool { return o.broken.has(ruleDate) },
			why:  "RFC 7519 section 2: a JSON number; past the year 9999 sums wrap around"},
		{name: "date in a string, or after 9999", peer: nameJWX, rules: setOf(ruleDate, ruleExpGiven),
			when: func(o *outcome, _ string) bool { return o.broken.has(ruleDate) },
			why:  "RFC 7519 section 2: a JSON number; past the year 9999 sums wrap around"},
		{name: "no exp", peer: nameJWX, rules: setOf(ruleExpGiven),
			when: func(o *outcome, _ string) bool { return !given(o.reading.claims, "exp") },
			why:  "a token without an end is refused; jwx wants jwt.WithRequiredClaim for it"},
		{name: "fraction of a second", peer: nameJWX, rules: setOf(ruleNbf),
			when: func(o *outcome, _ string) bool { return o.fractionOf(o.reading.nbf, leeway.Seconds()) },
			why:  "it drops the fraction, which RFC 7519 section 2 allows"},
		{name: "fraction of a second", peer: nameJWX, rules: setOf(ruleIat),
			when: func(o *outcome, _ string) bool { return o.fractionOf(o.reading.iat, leeway.Seconds()) },
			why:  "it drops the fraction, which RFC 7519 section 2 allows"},
	},
)

// onBoth is a class for each peer.
func onBoth(c class) []class {
	var classes []class
	for _, peer := range peers {
		c.peer = peer
		classes = append(classes, c)
	}
	return classes
}

// onlyWrong reports whether all claims of a wrong type are among these.
func (o *outcome) onlyWrong(names ...string) bool {
	return !slices.ContainsFunc(o.reading.wrongTypes, func(name string) bool { return !slices.Contains(names, name) })
}
