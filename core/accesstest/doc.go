// Package accesstest is a fake Cloudflare Access team on loopback, in the
// manner of net/http/httptest. With it a test sends its handler the tokens that
// Access sends, and those that a handler must refuse.
//
//	team := accesstest.NewTeam("acme")
//	defer team.Close()
//	verifier, err := core.New(core.Config{Team: "acme", Audiences: []string{aud}, Endpoint: team.URL})
//	…
//	request.Header.Set("Cf-Access-Jwt-Assertion", team.SignUser(aud, "ada@example.com"))
//
// [Team.SignUser] and [Team.SignService] make the tokens of a person and of a
// service token, with the claims that Access gives them. An [Option] changes any
// claim or header field, or the signature, for the tests of tokens that must be
// refused:
//
//	team.SignUser(aud, "ada@example.com", accesstest.WithExpiry(time.Now().Add(-time.Hour)))
//	team.SignUser(aud, "ada@example.com", accesstest.SignedByStranger())
//
// The team publishes its keys as Access does. [Team.Rotate] and [Team.Withdraw]
// change them. [Team.Fail], [Team.Hang], [Team.Serve] and [Team.Handle] make the
// certs endpoint fail until [Team.Recover], and [Team.Fetches] counts its
// requests. [Team.SetGroups] and [Team.SetIdentity] set what get-identity answers.
//
// Tokens are dated by [time.Now], so they follow the clock of testing/synctest.
// Make the team outside of the bubble. Inside, the team is the Transport of clients,
// through [Team.RoundTrip]: a request over a socket stops the clock of a bubble.
//
// [NewLocalTeam] makes a team whose issuer is a URL of the caller's own, with keys
// that can be kept: for a program that plays Access on a developer's machine.
//
// The package uses only the standard library. It shares no code with the
// verifier, so that a mistake in one can't hide in the other.
package accesstest
