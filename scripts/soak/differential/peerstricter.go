package main

import (
	"slices"
	"strings"
)

// The claims of OpenID Connect that go-oidc decodes, and no Access token has.
var oidcOnly = []string{"nonce", "at_hash", "_claim_names", "_claim_sources"}

// peerStricter are the reasons of a peer to refuse that don't bind ours.
var peerStricter = []class{
	{name: "header field twice", peer: nameOIDC,
		when: func(o *outcome, why string) bool {
			return twice(o.reading.header) && strings.Contains(why, "duplicate key")
		},
		why: "RFC 7515 section 4 lets a reader use the last one, as ours does"},
	{name: "key or nonce in the header that can't be read", peer: nameOIDC,
		when: func(o *outcome, why string) bool {
			return given(o.reading.header, "jwk", "x5c", "nonce") && strings.Contains(why, "malformed jwt: failed to unmarshal")
		},
		why: "ours takes no key from a token, and so reads none; nonce is ACME's (RFC 8555)"},
	{name: "b64 without crit", peer: nameOIDC,
		when: func(o *outcome, why string) bool {
			return o.reading.header.last("b64").text == "false" && strings.Contains(why, "failed to verify id token signature")
		},
		why: "RFC 7797 section 6: it counts for those alone who know it, unless it is in crit"},
	{name: "claim in another case", peer: nameOIDC,
		when: func(o *outcome, _ string) bool {
			return folds(o.reading.claims, append([]string{"iss", "sub", "aud", "exp", "nbf", "iat"}, oidcOnly...)...)
		},
		why: "RFC 7519 section 4 compares names exactly; encoding/json doesn't"},
	{name: "claims of OpenID Connect", peer: nameOIDC,
		when: func(o *outcome, why string) bool {
			return given(o.reading.claims, oidcOnly...) && (strings.Contains(why, "failed to unmarshal claims") ||
				strings.Contains(why, "obtain source") || strings.Contains(why, "source does not exist"))
		},
		why: "an Access token is no ID token: nonce, at_hash and distributed claims are not read"},
	{name: "null for a date", peer: nameOIDC,
		when: func(o *outcome, why string) bool {
			return anyOf(o.reading.claims, isNull, "exp", "nbf", "iat") && strings.Contains(why, `parsing "": invalid syntax`)
		},
		why: "ours reads null as absent; iat and nbf may be, and exp must come again"},
	{name: "fraction of a second", peer: nameOIDC,
		when: func(o *outcome, why string) bool {
			return o.fractionOf(o.reading.exp, -leeway.Seconds()) && strings.Contains(why, "token is expired")
		},
		why: "it drops the fraction of exp, which RFC 7519 section 2 allows"},

	{name: "null for a date", peer: nameJWX,
		when: func(o *outcome, why string) bool {
			return anyOf(o.reading.claims, isNull, "exp", "nbf", "iat") && strings.Contains(why, "invalid type <nil>")
		},
		why: "ours reads null as absent; iat and nbf may be, and exp must come again"},
	{name: "null among the audiences", peer: nameJWX,
		when: func(o *outcome, why string) bool {
			null := func(v value) bool { return isNull(v) || slices.ContainsFunc(v.items, isNull) }
			return strings.Contains(why, "key aud: invalid") && anyOf(o.reading.claims, null, "aud")
		},
		why: "ours reads it as no name, and another one is ours"},
	{name: "date before 1970", peer: nameJWX,
		when: func(o *outcome, why string) bool {
			return strings.Contains(why, "RFC3339") && anyOf(o.reading.claims, func(v value) bool { return strings.HasPrefix(v.text, "-") }, "nbf", "iat")
		},
		why: "RFC 7519 section 2 has any number: such a token began long ago"},
	{name: "number beyond float64 in the header", peer: nameOIDC,
		when: func(o *outcome, why string) bool {
			return o.reading.header.overflows() && strings.Contains(why, "cannot unmarshal number")
		},
		why: "RFC 8259 section 6: a limit of the reader's; ours doesn't read that field"},
	{name: "number beyond float64 in the header", peer: nameJWX,
		when: func(o *outcome, why string) bool {
			return o.reading.header.overflows() && strings.Contains(why, "failed to decode field")
		},
		why: "RFC 8259 section 6: a limit of the reader's; ours doesn't read that field"},
	{name: "number beyond float64", peer: nameJWX,
		when: func(o *outcome, why string) bool {
			return o.reading.claims != nil && o.reading.claims.overflows() && strings.Contains(why, "could not decode field")
		},
		why: "RFC 8259 section 6: a limit of the reader's; ours doesn't read that claim"},
	{name: "header field of another type", peer: nameJWX,
		when: func(o *outcome, why string) bool {
			h := o.reading.header
			return strings.Contains(why, "failed to parse JOSE header") && (given(h, "jwk", "x5c") || len(h.all("alg")) > 1 ||
				anyOf(h, func(v value) bool { return v.kind != kindString }, "kid", "typ", "cty", "jku", "x5u", "x5t", "x5t#S256") ||
				anyOf(h, func(v value) bool { return v.kind != kindBool }, "b64"))
		},
		why: "ours reads the last alg and kid, and no key from a token"},
	{name: "b64 without crit", peer: nameJWX,
		when: func(o *outcome, why string) bool {
			return given(o.reading.header, "b64") && strings.Contains(why, "unknown payload type")
		},
		why: "RFC 7797 section 6: it counts for those alone who know it, unless it is in crit"},
	{name: "white space around the header", peer: nameJWX,
		when: func(o *outcome, why string) bool {
			return trimmed(o.reading.headerText) != o.reading.headerText && strings.Contains(why, "could not verify message")
		},
		why: "it verifies the header without it; RFC 7515 section 5.2 wants it as it came"},
	{name: "fraction of a second", peer: nameJWX,
		when: func(o *outcome, why string) bool {
			return o.fractionOf(o.reading.exp, -leeway.Seconds()) && strings.Contains(why, "token is expired")
		},
		why: "it drops the fraction of exp, which RFC 7519 section 2 allows"},
}
