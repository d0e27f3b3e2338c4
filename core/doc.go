// Package core decides whether a request comes from a caller that Cloudflare
// Access has let in. It knows no web framework: stdaccess, ginaccess,
// echoaccess and fiberaccess translate its decisions for theirs.
//
// A [Verifier] is made once for a team and its applications, and shared by all
// requests:
//
//	v, err := core.New(core.Config{Team: "acme", Audiences: []string{aud}})
//
// [Verifier.Verify] judges one token. [Verifier.Authenticate] finds the token
// in a request's headers first. [Verifier.Admit] then asks a [Rule] whether
// the caller may pass. Every error matches exactly one of the package's
// sentinels with errors.Is; [Refuse] turns it into what the client is told.
//
// The team's signing keys are fetched when the first token comes and kept up
// to date from then on: see [Config]. Tokens that verified are remembered, so
// that a session pays for the RSA signature once; a remembered token is still
// checked against the clock and the published keys each time.
//
// What is not checked: whether the session was revoked at Access since the
// token was issued. A token is good until it expires or its key is withdrawn.
//
// Package [github.com/cfaccess/cfaccess/core/accesstest] is a fake team to
// test with.
package core
