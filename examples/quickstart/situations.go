package main

import (
	"context"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// A situation is a row of the table.
type situation struct {
	name string
	want expectation
	play play
}

// A play brings a situation about on a fresh origin. It may change the team's
// keys and how the certs endpoint answers.
type play func(context.Context, *origin) (outcome, error)

// situations returns the table. Each row stands on its own.
func situations() []situation {
	now := time.Now()
	invalid := refused(401, "token_invalid")
	// forged is a request with a token that Access would not send here.
	forged := func(options ...accesstest.Option) play {
		return visit("/", inHeader(user(ada, options...)))
	}
	return []situation{
		{"user token in the header", welcome("hello " + ada), visit("/", inHeader(user(ada)))},
		{"user token in the cookie", welcome("hello " + ada), visit("/", inCookie(user(ada)))},
		{"service token", welcome("hello " + bot), visit("/", inHeader(service(bot)))},
		{"caller whom a policy allows", welcome("hello administrator"), visit("/admin/", inHeader(user(ada)))},

		{"no token", refused(401, "token_missing"), visit("/", together())},
		{"token expired", refused(401, "token_expired"), forged(accesstest.WithExpiry(now.Add(-time.Hour)))},
		{"token not yet valid", refused(401, "token_not_yet_valid"), forged(accesstest.WithClaim("nbf", now.Add(time.Hour).Unix()))},
		{"token for another application", invalid, visit("/", inHeader(userOf("another application's AUD tag", ada)))},
		{"token of another team", invalid, forged(accesstest.WithClaim("iss", "https://other.cloudflareaccess.com"))},
		{"signed by a stranger", invalid, forged(accesstest.SignedByStranger())},
		{"alg none", invalid, forged(accesstest.Unsigned())},
		{"HS256 with the public key", invalid, forged(accesstest.SignedHS256())},
		{"token of type org", invalid, forged(accesstest.WithClaim("type", "org"))},
		{"token without a kid", invalid, forged(accesstest.WithoutHeader("kid"))},
		{"token with a crit header", invalid, forged(accesstest.WithHeader("crit", []string{"exp"}))},
		{"bad header beside a good cookie", invalid, visit("/", together(
			inHeader(user(ada, accesstest.SignedByStranger())), inCookie(user(ada))))},
		{"caller whom a policy refuses", refused(403, "forbidden"), visit("/admin/", inHeader(user(eve)))},
		{"forged email header, no token", refused(401, "token_missing"), visit("/header", claiming(ada))},
		{"forged email header, another's token", welcome("header says " + eve), visit("/header", together(
			inHeader(user(eve)), claiming(ada)))},

		{"key rotated", expectation{status: 200, text: "hello " + ada, leastFetches: 1, mostFetches: 1}, keyRotated},
		{"previous key after a rotation", welcome("hello " + ada), previousKey},
		{"key withdrawn, after Refresh", invalid, keyWithdrawn},
		{"200 made-up kids", expectation{status: 401, text: "token_invalid", answers: 200, mostFetches: 2}, madeUpKids(200)},
		{"certs endpoint down, keys known", welcome("hello " + ada), downWithKeys},
		{"certs endpoint down, keys never fetched", expectation{status: 503, text: "keys_unavailable", retryAfter: true}, downWithoutKeys},
	}
}
