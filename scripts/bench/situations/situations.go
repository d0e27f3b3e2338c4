package main

import (
	"fmt"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// situations returns all of them, in the order of the table.
func situations(z size) []situation {
	list := []situation{
		{
			name: fmt.Sprintf("%d tokens with made-up kids", z.MadeUp),
			run:  madeUpKids,
		},
		{
			name: fmt.Sprintf("%d made-up kids while the certs endpoint answers 500", z.MadeUp),
			run:  madeUpKidsInAnOutage,
		},
		{
			name: fmt.Sprintf("%d forged signatures under a known kid", z.MadeUp),
			run:  forgedSignatures,
		},
		{
			name:   fmt.Sprintf("key rotated, then %d concurrent requests with the new key", z.Crowd),
			legend: fmt.Sprintf("Of %d sessions. The keys were fetched shortly before the rotation. Where one fetch is allowed, those who come while it is under way may be refused: how many differs from run to run.", z.Crowd/requestsOfSession),
			run:    rotation,
		},
		{
			name:      "certs endpoint answers `{}` once: at a refresh",
			legend:    fmt.Sprintf("The interval at which keys are fetched again is made short, %v, where there is one. Whether a session is accepted all the while.", z.Refresh),
			refreshes: true,
			run:       emptyAtRefresh,
		},
		{
			name:      "certs endpoint answers `{}` from a refresh on",
			legend:    "The same for two intervals. Who keeps keys for no longer than one refuses everybody then.",
			refreshes: true,
			run:       emptyFromRefreshOn,
		},
		{
			name:      "certs endpoint answers 500 from a refresh on",
			legend:    "The same.",
			refreshes: true,
			run:       downFromRefreshOn,
		},
		{
			name:   "certs endpoint answers `{}` once: to a made-up kid",
			legend: "The intervals are the defaults. The session goes on after the kid.",
			run:    emptyOnceForKid,
		},
		{
			name:   "certs endpoint answers `{}` from a made-up kid on",
			legend: "The same, and the endpoint doesn't come back.",
			run:    emptyFromKidOn,
		},
		{
			name: fmt.Sprintf("certs body of %d MB", z.Body>>20),
			legend: "A JSON object with one long string, from a refresh on; the interval is short. Where that fetches nothing, a made-up kid follows. " +
				"What the server could write of the first answer counts as read, and with it what lies in the buffers of the connection. A session goes on.",
			refreshes: true,
			alone:     true,
			run:       largeBody,
		},
		{
			name:   "key of an unknown type beside good ones: new process",
			legend: "An ML-DSA key, of type AKP. Whether a session is accepted; a process may take seconds to start.",
			run:    unknownTypeNewProcess,
		},
		{
			name:      "key of an unknown type beside good ones: running process",
			legend:    "It appears with a rotation. The interval is short. Whether the session of before and one with the new key are accepted.",
			refreshes: true,
			run:       unknownTypeRunning,
		},
		{
			name:      "withdrawn key: its session goes on",
			legend:    "Whether the session is still accepted after two intervals, which are short.",
			refreshes: true,
			run:       withdrawnRefresh,
		},
		{
			name:   "withdrawn key: after a token with the new key",
			legend: "The intervals are the defaults. Whether the session of before is accepted, once a token with a kid that is new to the verifier has come.",
			run:    withdrawnNewKid,
		},
	}
	return append(list, tokenSituations()...)
}

// tokenSituations are those with one bad token.
func tokenSituations() []situation {
	list := []situation{{
		name:   "last signature character re-encoded",
		legend: "Four of its bits mean nothing. Refused means that a token has one spelling.",
		run:    respelled,
	}}
	for _, bad := range []struct {
		name, legend string
		options      []accesstest.Option
	}{
		{"token without a kid", "", []accesstest.Option{accesstest.WithoutHeader("kid")}},
		{"`type: org` token", "That of the global session, which is not meant for an origin.", []accesstest.Option{accesstest.WithClaim("type", "org")}},
		{"`crit` header", "It names an extension that nobody knows: RFC 7515, section 4.1.11, has such a token refused.", []accesstest.Option{
			accesstest.WithHeader("crit", []string{"example"}), accesstest.WithHeader("example", true),
		}},
		{"no `exp`", "", []accesstest.Option{accesstest.WithoutClaim("exp")}},
		{"HS256, keyed with the public key", "", []accesstest.Option{accesstest.SignedHS256()}},
		{"alg `none`", "", []accesstest.Option{accesstest.Unsigned()}},
	} {
		list = append(list, situation{name: bad.name, legend: bad.legend, run: oneToken(bad.options...)})
	}
	return list
}
