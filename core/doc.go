// Package core decides whether a request comes from a caller that Cloudflare
// Access has admitted. It knows no web framework: the adapters, such as stdaccess
// for net/http, translate its decisions.
//
// A [Verifier] is made once for a team and its applications, and shared by all
// requests:
//
//	v, err := core.New(core.Config{Team: "acme", Audiences: []string{aud}})
//
// [Verifier.Verify] verifies one token. [Verifier.Authenticate] finds the token
// in a request's headers first. [Verifier.Admit] then asks a [Rule] whether
// the caller may pass. Every error matches exactly one of the package's
// sentinels with errors.Is. [Refuse] turns it into the client's answer.
//
// The team's signing keys are fetched when the first token comes and kept up
// to date from then on: see [Config]. The signature of a token is verified once,
// and the result is cached. Its dates and its key are checked each time. Whether
// the session was revoked at Access is not checked.
//
// Package [github.com/cfaccess/cfaccess/core/accesstest] is a fake team to
// test with.
package core
